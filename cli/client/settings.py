"""The settings of the commands. `cli/client/address.py` reads them without this class."""

from pydantic import Field, SecretStr

from shared.process.settings import CommonSettings


class ClientSettings(CommonSettings):
    pandora_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="address of the gateway that ask, dead and import use; unset: the local one",
    )
    pandora_api_key: SecretStr | None = Field(None, description="key that they send to the gateway")
