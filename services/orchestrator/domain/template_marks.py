"""The marks by which models' chat templates begin and end messages, where a user has written them.

A model server puts what was said between such marks and has the whole read at once: whoever writes them as
well begins a message of their own, in anybody's name. Tokenizers know them letter by letter, so no other
spelling is looked for. Marks that are ordinary words (`### Instruction:`, `USER:`) cannot be told from what
people write.
"""

import re

_BAR = "[|\uff5c]"
"""DeepSeek's is in full width."""
_NAME = r"[^\s|\uff5c<>]{1,64}"
_TAGS = (
    "s|bos|eos|pad|unk",  # Llama 2, Mistral, Gemma
    "(?:start|end)_of_[a-z]+|image_soft_token|unused[0-9]+",  # Gemma
    "think|tool_calls?|tool_response",  # Qwen: read by its template, and tokens of their own
    "sop|eop",  # GLM
    "(?:BOS|EOS|PAD)_TOKEN",  # Command R
    "extra_id_[0-9]+|SPECIAL_[0-9]+",  # Nemotron
    "<SYS>",  # Llama 2: <<SYS>>
)
_BRACKETED = (
    "INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT",  # Mistral, Llama 2
    "MODEL_SETTINGS|THINK|IMG|IMG_BREAK|IMG_END|AUDIO|BEGIN_AUDIO",  # Mistral
    "gMASK",  # GLM
)
_MARKS = re.compile(
    # ChatML, Llama 3, Phi, DeepSeek, and most others: <|im_start|>. A bar alone is an operator.
    rf"<(?={_BAR}{_NAME}{_BAR}>|/?(?:{'|'.join(_TAGS)})>|</SYS>>)"
    rf"|\[(?=/?(?:{'|'.join(_BRACKETED)})\])"
)
_HARMLESS = {"<": "&lt;", "[": "&#91;"}


def without_template_marks(text: str) -> str:
    """The same, with the first sign of each mark written as HTML would: models read it, tokenizers do not."""
    return _MARKS.sub(lambda found: _HARMLESS[found[0]], text)
