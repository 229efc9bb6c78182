"""Makes marks of chat templates harmless in text that users have written.

A model server puts each message between such marks, and the model reads all of it as one text. A user who
writes a mark could begin a message in any role. Tokenizers accept only the exact spelling, so no other
spelling is searched. Marks that are ordinary words (`### Instruction:`, `USER:`) cannot be distinguished from
normal text.
"""

import re

_BAR = "[|\uff5c]"
"""DeepSeek uses the full-width form."""
_NAME = r"[^\s|\uff5c<>]{1,64}"
_TAGS = (
    "s|bos|eos|pad|unk",  # Llama 2, Mistral, Gemma
    "(?:start|end)_of_[a-z]+|image_soft_token|unused[0-9]+",  # Gemma
    "think|tool_calls?|tool_response",  # Qwen: its template reads them, and they are single tokens
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
    """Writes the first character of each mark as HTML does: models can read it, tokenizers take it as
    text."""
    return _MARKS.sub(lambda found: _HARMLESS[found[0]], text)
