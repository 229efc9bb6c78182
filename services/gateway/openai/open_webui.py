"""What Open WebUI tells of its users, and how it puts documents into a user's message."""

import re
from collections.abc import Mapping
from typing import Final

import jwt

from services.gateway.http.callers import Caller
from shared.contract.abilities import Ability
from shared.contract.errors import Refused

USER_HEADER: Final = "X-OpenWebUI-User-Id"
TOKEN_HEADER: Final = "X-OpenWebUI-User-Jwt"  # noqa: S105 - the name of a header
_ISSUER: Final = "open-webui"
_LEEWAY_SECONDS: Final = 60
_RETRIEVED: Final = re.compile(
    r"\s*### Task:\s*Respond to the user query using the provided context.*</context>\s*"
    r"(?:<user_query>(?P<quoted>.*?)</user_query>)?(?P<asked>.*)",
    re.DOTALL,
)
"""Its template of retrieved documents. The user's words follow them; older versions quote them as well."""


class OpenWebUiUsers:
    """Finds the user of Open WebUI that a request is about."""

    def __init__(self, secret: str) -> None:
        """`secret` signs its users' tokens. Empty: the plain header is believed."""
        self._secret = secret

    def user_of(self, headers: Mapping[str, str], caller: Caller) -> str:
        """Returns the name of the caller, unless its key may name users and Open WebUI names one.

        Raises Refused: 401 for a user that is not proven, 422 for what cannot be a user's name.
        """
        if Ability.ACT_FOR_OTHERS not in caller.abilities:
            return caller.name
        plain, token = headers.get(USER_HEADER.lower()), headers.get(TOKEN_HEADER.lower())
        if token:
            return caller.acts_for(self._proven(token))
        if plain and self._secret:
            raise Refused(401, f"{USER_HEADER} proves nothing; OPENWEBUI_JWT_SECRET asks for {TOKEN_HEADER}")
        return caller.acts_for(plain or None)

    def _proven(self, token: str) -> str:
        if not self._secret:
            raise Refused(
                401,
                f"{TOKEN_HEADER} cannot be checked; set OPENWEBUI_JWT_SECRET to the value of Open WebUI's "
                "FORWARD_USER_INFO_HEADER_JWT_SECRET",
            )
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=["HS256"],
                issuer=_ISSUER,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "sub"]},
            )
        except jwt.InvalidTokenError as error:
            raise Refused(401, f"{TOKEN_HEADER} is not valid: {error}") from error
        user: str = claims["sub"]
        return user


def words_of_user(text: str) -> str:
    """Returns the message without the documents that Open WebUI has put before it."""
    found = _RETRIEVED.fullmatch(text)
    if found is None:
        return text
    return found["asked"].strip() or (found["quoted"] or "").strip() or text
