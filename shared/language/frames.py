"""What makes words no plain words of the user: signs of a quotation, a pasted text, play, a joke ...

English, and in doubt too much: a frame that is none costs a memory, a frame that is missed makes a false one.
"""

from typing import Final

import regex


def _any(*patterns: str, flags: int = 0) -> regex.Pattern[str]:
    return regex.compile("|".join(patterns), regex.IGNORECASE | regex.MULTILINE | flags)


_DAY_TIME = r"(?:morning|afternoon|evening|day)"
_NOT_I = r"(?<!\bI )(?<!\bI['\u2019]ve )(?<!\bI (?:just|have|already|once|also) )"
_TEXT = (
    r"(?:sentences?|texts?|paragraphs?|stor(?:y|ies)|poems?|letters?|e-?mails?|mails?|messages?|dialogues?|"
    r"tweets?|"
    r"posts?|comments?|reviews?|articles?|captions?|bio|profile|diary|journal|voicemail|transcripts?|"
    r"excerpts?|"
    r"passages?|quotes?|quotations?|screenshots?|subtitles?|headlines?|slogans?|scripts?|speech(?:es)?|"
    r"essays?|"
    r"cover letter|application|paragraphs?|lines?|phrases?|chat|thread|memo|postcard|forum|blog|"
    r"testimonials?|"
    r"resum\u00e9|resume|cv)"
)
_LABEL = (
    r"(?:note|notes|update|ps|p\.s\.|fyi|btw|by the way|context|for context|background|info|reminder|"
    r"remember|"
    r"please remember|about me|a bit about me|facts about me|also|correction|one (?:more |other |"
    r"last )?thing|fun fact|"
    r"quick (?:note|update|fact)|heads up|important|news|good news|disclaimer|for the record|good to know|"
    r"just so you know|keep in mind|bear in mind|make a note|don['\u2019]?t forget|hi|hello|hey|ok|so)"
)
_CLOSING = (
    r"(?:(?:all the |my |with )?best(?: (?:regards|wishes))?|(?:kind|warm|many)?(?:est)? ?regards|cheers|"
    r"(?:lots of )?love|yours(?: \w+)?|sincerely(?: yours)?|(?:many )?thanks(?: (?:again|so much|a lot))?|"
    r"thank you|warmly|xo+xo*|take care|see you(?: soon)?|hugs|kisses|br|lg|vg|mfg|bisous|saludos|"
    r"abra\u00e7os?)"
)

PASTED: Final = _any(
    r"^ ?(?:from|to|cc|bcc|subject|sent|date|re|fwd?|aw|wg|von|an|betreff|de|para|asunto|objet|name)\s?:",
    # A greeting of someone else, on a line of its own.
    rf"^ ?(?:(?i:hi|hello|hey|dear|hallo|hola|ol\u00e1|salut|good {_DAY_TIME}|greetings|ciao)),? "
    r"(?!(?:there|again|pandora|assistant|bot|claude|chatgpt|ai)\b)[^\n,!.:]{1,40}[,!:]?\s*$(?=\s*\S)",
    r"^ ?dear [^\n]{1,40}[,:!]",
    rf"^ ?{_CLOSING}\s*[,!.]?\s*(?:\n\s*)+[\p{{Lu}}][\p{{L}}\p{{M}}.' -]{{0,40}}\s*$",
    rf"\b{_CLOSING},\s+(?-i:\p{{Lu}})[\p{{L}}\p{{M}}.'-]*(?: (?-i:\p{{Lu}})[\p{{L}}\p{{M}}.'-]*)?\s*$",
    r"^ ?--\s*$",
    r"\bsent from my\b",
    r"\boriginal message\b",
    r"\bforwarded\b",
    # A line of a chat or a form: a name, a colon, words.
    r"^ ?(?:[\[(]?\d{1,4}[:./-]\d{2}[^\n\]:]{0,16}[\])]?[\s,-]*)?"
    rf"(?!{_LABEL}\s*:)(?-i:[\p{{Lu}}\p{{Lo}}@])[\p{{L}}\p{{M}}\d_.'()& -]{{0,40}}\s?:(?=\s)",
    r"^ ?[\[(]\d{1,4}[:./-]\d{2}",
    r"^(?-i:[\p{Lu}\p{Lo}])[^\n:.!?]{0,40}\b\d{1,2}[:.]\d{2}(?: ?[ap]\.?m\.?)?\s*$(?=\s*\S)",
    r"^ ?<[^>\n]{1,40}>\s",
    # A heading in capitals alone, as of a play.
    r"^ ?(?-i:[\p{Lu}\d .,'()-]{3,40})$(?=\s*\S)",
    r"</?(?:p|b|i|br|div|span|a|li|ul|td|tr|h\d|html|body)\b[^>]*>",
    r"^ ?[{}\[\]|]",
    r"\w\s*=\s*[\"'\w]",
    r"^ ?(?:#|//|/\*)",
)
REPORTED: Final = _any(
    rf"{_NOT_I}\b(?:wrote|writes|said|says|saying|texted|texts|messaged|e-?mailed|posted|tweeted|told|"
    rf"tells|replied|"
    r"replies|answered|quoth|quoted?|quoting|unquote|reads|claims|claimed|mentioned|announced|shouted|"
    r"whispered|insists?|insisted|dm['\u2019]?e?d|pinged|overheard|captioned|dictated|declared|exclaimed|"
    r"muttered|sings|sang|sung|chanted|commented|responded|confessed|admitted|bragged|boasted|explained)\b",
    r"\bI (?:saw|copied|heard|overheard|spotted|noticed|(?:am |was )?(?:writ\w+|speak\w*|talk\w*) as)\b",
    r"\b(?:according to|sent me|heard (?:from|someone|somebody|a|my|him|her)|(?:was|is|were|are|goes|"
    r"went) like)\b",
    r"\b(?:his|her|their|whose|exact) (?:exact |very |own )?words\b",
    r"\b(?:called|phoned|rang|speaks|spoke|signed|answers|recites|recited)[.,:!]",
    # Something is introduced, and stands on the next lines.
    rf"(?<!^ ?{_LABEL}\s*):\s*\n\s*\S",
    # An attribution at the end: "- Marcus Aurelius".
    r"(?:\n|[.!?\u2026]\s*)[-\u2013\u2014~]{1,2}\s*(?!I\b)(?-i:\p{Lu})[\p{L}\p{M}.'-]*"
    r"(?: [\p{L}\p{M}.'-]+){0,3}\s*$",
    r"^ ?[\u2013\u2014]\s*\p{L}",
)
PLAYED: Final = _any(
    r"\b(?:imagine|imagining|imaginary|pretend(?:ing|s)?|role-? ?play(?:ing|s)?|let['\u2019]?s say|"
    r"let us say|"
    r"let['\u2019]?s (?:suppose|assume|pretend|play|imagine|do a|act|try a)|let me (?:play|pretend|be)|"
    r"act(?:ing)? as|act like|as though i|as if i|in character|stay in|persona|alter ego|avatar|character|"
    r"protagonist|hero|heroine|villain|narrator|picture (?:this|me)|what if|hypothe\w+|scenario|simulat\w+|"
    r"for (?:the sake of|the purposes?|this (?:question|exercise|conversation|game|chat|exercise|one))|"
    r"(?:in|from) (?:a|another|the|my) (?:parallel|alternate|fictional|fantasy|virtual|dream|world|universe|"
    r"other life|previous life|past life|next life)|in another (?:life|world|universe)|thought experiment|"
    r"someone else|somebody else|another person|(?:perspective|point of view|voice|shoes) of|speaking as|"
    r"fiction\w*|fan ?fic\w*|novel|novella|sci-fi|dungeons?|d&d|npc|rpg|larp|improv|theatre|theater|"
    r"drama class|"
    r"monologue|sketch|once upon|lyrics?|rap|verse|chorus|haiku|limerick|fairy ?tales?|fable|legend|myth|"
    r"two truths|truth or|never have i ever|charades|riddle|guess who|game|gaming|quest|level \d+|"
    r"chapter \d*|scene \d*|my (?:dream|dreams|nightmare)|dream(?:ed|t|ing|s)?|"
    r"you(?:['\u2019]re| are) (?:(?:a|an|now|my|the)\b|(?-i:\p{Lu}\w*))|you be|i['\u2019]?ll be|"
    r"i(?:['\u2019]m| am) (?:an?|the) (?:\w+ )?(?:roman|viking|knight|king|queen|prince|princess|pirate|"
    r"wizard|witch|"
    r"dragon|robot|alien|vampire|zombie|ghost|elf|dwarf|orc|god|goddess|emperor|pharaoh|samurai|ninja|"
    r"unicorn|"
    r"superhero|spy|mermaid|fairy|gladiator|demon|angel|time travell?er)|caesar|napoleon|cleopatra|batman|"
    r"superman|sherlock|dracula|santa|hamlet|zeus|gandalf|harry potter|i (?:play|"
    r"will play|will be|"
    r"am playing)\b|"
    r"be my|suppose (?:i|that|we|you|for)|supposing|say i(?:['\u2019]m| am| live| work| was)\b|user story|"
    r"as an? (?:user|customer|player|admin)\b,?|punch ?line|knock,? knock|satire|parody|meme|"
    r"assum(?:e|ing) (?:i|that|we|you|for))\b",
    r"(?<![*\w])\*[^*\n]{2,60}\*(?!\*)",
)
HANDED_OVER: Final = _any(
    r"\b(?:translat(?:e|es|ed|ing|ions?)|proof-?read\w*|paraphras\w+|re-?writ\w+|re-?phras\w+|"
    r"summari[sz]\w+|polish (?:this|"
    r"my|the|it)|"
    r"(?:improve|shorten|edit|fix|correct|check|grade|rate|review|analy[sz]e|read|look at|see|judge|"
    r"classify|parse|"
    r"tag|format|convert|extend|continue|complete|finish|explain|quote|repeat|reply to|respond to|answer) "
    r"(?:the|this|that|these|my|following|below|after me)|"
    r"(?<!\bI )(?:write|tell|read|sing|give) (?:an?|me|us|the)|draft|compose|"
    r"what (?:do|would|did) you (?:think|make|say) (?:of|about|to) (?:this|that|it|the|my|these)|"
    r"(?:how|what) (?:does|do) (?:this|that|it|these) (?:sound|look|read|mean)|thoughts on|feedback|"
    r"opinions? on|"
    r"is (?:this|that|it|the following) (?:ok|okay|correct|good|right|grammatical\w*|fine|better)|"
    r"what does .{1,80} mean|how (?:do|would|can|should) (?:i|you|we) (?:say|spell|pronounce|"
    r"translate)|"
    r"which (?:one )?(?:is|sounds) (?:correct|right|better|more)|grammar|spelling|spell-?check|typos?|"
    r"here(?:['\u2019]s| is| are) (?:an?|the|my|what|some|how|his|her|their|one)|below|the following|"
    r"(?:past|present|future) tense|what tense|verbs?|adjectives?|pronouns?|conjugat\w+|"
    r"(?:this|that|it) (?:in|into|to) (?:the )?(?:past|plural|french|german|spanish|italian|english)|"
    r"copy-? ?past\w+|pasted?|found (?:this|it|that) (?:on|in|at|online)|got this|saw this|received this|"
    r"in the (?:voice|style) of|for (?:example|instance)|examples?|e\.g\.|sample|template|placeholder|"
    r"mock-?up|"
    r"exercise|homework|vocabulary|duolingo|lesson|flash ?cards?|quiz|test(?:ing|s)?|unit tests?|test data|"
    r"prompt|system prompt|json|csv|yaml|regex|html|dataset|parser|chatbot|string|variable|print|printf|"
    r"say (?:it|this|that)|repeat after)\b",
    rf"\b(?:this|the|these|that|a|an|another|his|her|their|some|\w+['\u2019]s|my (?!name)\w+['\u2019]s|"
    rf"(?:a|an|the|this|my) (?:cover|short|new|love|old|thank-you|birthday|dating|linkedin|instagram|"
    rf"facebook)) "
    rf"{_TEXT}\b(?! (?:office|box))",
    rf"\b{_TEXT} (?:from|by|of)\b",
)
JOKE: Final = _any(
    r"\b(?:just|only|am|was|i['\u2019]?m|totally|obviously|merely) (?:kidding|joking|messing|teasing|"
    r"pulling|trolling)\b|"
    r"\b(?:kidding|jk|j/k|jokes?|joking|prank\w*|psych|gotcha|fooled you|april fools?\w*|haha\w*|hehe\w*|"
    r"lol+|lmao\w*|rofl\w*|sarcas\w+|iron(?:y|ic(?:ally)?)|lied|lying|lies?|untrue|fib|bluff\w*|"
    r"made (?:that|it|this) up|"
    r"not really|yeah,? right|as if|in my dreams|dream on|i wish|if only|not true|isn['\u2019]t true|"
    r"wasn['\u2019]t true|"
    r"of course not|far from it|or (?:do|am|have|did) i|wrong (?:chat|window|person|tab|thread)|"
    r"that (?:was|is) (?:a joke|not me|my (?:brother|sister|wife|husband|son|daughter|kid|cat|friend|"
    r"partner)|someone)|"
    r"(?:someone|somebody|my \w+) (?:else )?(?:was |is )?(?:typing|typed|grabbed|hacked)|"
    r"ignore (?:that|this|me|what|all|everything|it)|disregard|forget (?:that|it|what|i said|about (?:that|"
    r"it))|"
    r"never ?mind|said (?:no one|nobody)|or not|just (?:seeing|checking|trying)|only (?:a )?test|"
    r"wink|nudge|take (?:that|it) back)\b",
    r"(?<!\w)/(?:s|j|jk|sarc)\b",
    r"[\U0001F602\U0001F923\U0001F609\U0001F643\U0001F61C\U0001F61D\U0001F92A\U0001F606\U0001F605]|"
    r"[;:]-?[pP)](?!\w)|\bxd\b",
    r"(?:^|[.!,\u2026] ?)not[.!]*\s*$",
)
CORRECTED: Final = _any(
    r"\b(?:no,? wait|wait,? no|hold on|scratch that|strike that|i mean|i meant|meant to (?:say|write)|"
    r"oops|whoops|correction|my bad|my mistake|actually,? no|or rather|make that|nope|nah|not any ?more|"
    r"wrong|mistake|"
    r"mistyped|misspoke|autocorrect\w*|sorry|pardon)\b",
    r"(?:^|[.!?,;\u2026-])\s*(?:wait\b|no[,.!])",
    # "I live in Lisbon. Well, Cascais."
    r"(?:^|[.!?,;\u2026]\s*)(?:well|or|actually|technically|that is),? (?!I\b)(?-i:\p{Lu})",
)
LOOKS_BACK: Final = _any(
    r"\A ?(?:or|at least|until|till|soon|actually|not|well|only|except|but|used to|as of|got you|got ya|"
    r"(?:that|this)(?:['\u2019]s| is| was| isn['\u2019]t| wasn['\u2019]t)|it (?:is|was)(?:n['\u2019]t|"
    r" not)|i used to|"
    r"i (?:do|did|am|was|have)(?:n['\u2019]t| not)(?: (?:actually|really|any ?more|though))?[.,!])(?!\w)"
)
"""A sentence that begins so may take back the ones before it."""
SUPPOSED: Final = _any(
    r"\b(?:if|unless|would|wouldn['\u2019]t|could|might|maybe|perhaps|probably|possibly|suppose|supposing|"
    r"supposedly|"
    r"assume|assuming|wish|whether|in case|provided|providing|as long as|whenever|(?:every|each) (?:time|"
    r"day i|year i)|"
    r"in theory|theoretically|on paper|guess|think|thought|believe|feel like|allegedly|apparently|reportedly|"
    r"hopefully|ideally|should i|were i|had i|in that case|otherwise|let['\u2019]s)\b",
    r"\b(?:I['\u2019]d|you['\u2019]d|we['\u2019]d)\b",
)
SUPPOSES_ON: Final = _any(
    r"\A(?:and |but |so |ok,? |now,? )?(?:if|suppose|supposing|assume|assuming|unless|should i|were i|"
    r"had i|say,? )\b"
)
"""What follows such a sentence may be said under its condition."""

_PERSON = (
    r"(?:wife|husband|partner|girlfriend|boyfriend|fianc\u00e9e?|mother|mum|mom|father|dad|parents?|boss|"
    r"manager|"
    r"sister|brother|son|daughter|child|kids?|baby|friend|colleague|neighbou?r|grand\w+|gran|aunt|uncle|"
    r"cousin|"
    r"teacher|doctor|landlord|flatmate|roommate|ex|team|family|client|customer|guide)"
)
_IS = r"(?:is|are|was|were|has|have|had|['\u2019]s|does|loves|likes|hates|lives|works|and I)"
OWN_VOICE: Final = _any(
    r"(?<!\w)(?:I|we)(?:['\u2019]\w+)?(?!\w)",
    rf"\A ?(?:my|our) (?!(?:\w+ )?{_PERSON}s? (?!{_IS}\b)).*?(?:\b(?:{_IS}|\w+ed|\w{{3,}}s|died|broke|"
    rf"got)\b|['\u2019]s )",
    r"\A ?(?:hi|hello|hey|hiya|howdy|thanks|thank you|ok|okay|cool|great|nice|sorry|wow|yes|yeah|yep|no|"
    r"sure|oh|so|"
    r"good (?:morning|afternoon|evening|day)|please|cheers|perfect|awesome|right|well|hmm+|anyway|"
    r"by the way|fun fact|"
    r"next (?:topic|question)|new (?:topic|question)|quick question|welcome|hooray|finally|btw|fyi|ps|"
    r"update|about me)\b"
    r"(?:[ ,:]*[^\s,:]+){0,4}[\s,:]*\Z",
    r"\A\P{L}*\Z",
)
"""In the user's own voice, or a greeting. What follows anything else may be the words of others."""
ASKS_ABOUT_A_TEXT: Final = _any(
    r"\b(?:this|that|these|those|it|answer|reply|respond|say|sounds?|writ\w+|words?|formal|better|turn|"
    r"make|mean)\b"
)
