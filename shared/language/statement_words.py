"""Closed lists of words for the patterns of `statement_rules.py`: names, places, allergens, jobs."""

from typing import Final

from shared.language.words import word_set

NO_NAMES: Final = word_set(
    """i me you he she we they it my your monday tuesday wednesday thursday friday saturday sunday mon
    tue tues wed thu thur thurs fri sat sun mondays tuesdays wednesdays thursdays fridays saturdays
    sundays weekdays weekends weekend january february march april may june july august september
    october november december jan feb mar apr jun jul aug sep sept oct nov dec spring summer autumn
    fall winter christmas easter halloween thanksgiving hanukkah chanukah ramadan eid diwali
    passover yuletide xmas lent pentecost epiphany advent carnival purim newyear valentine
    valentines holi noon midnight night morning evening afternoon dawn dusk dinner lunch breakfast
    today tomorrow tonight yesterday later soon now never always ever back maybe crazy old sir madam
    not anytime whenever asap fyi eod eta tbd tbc btw pm am hq hr wfh ooo diy faq tv pc ok okay
    please thanks if when home work school university college hell heaven paradise hope fear peace
    denial limbo bliss sin poverty nobody legion anonymous test unknown nothing everyone someone
    anyone names whatever boss mom dad mum daddy mommy captain chief master dude bro nuts stupid
    lazy lucky narnia hogwarts mordor gotham westeros atlantis wonderland neverland middle-earth
    middle earth mars jupiter venus moon airbnb excel word outlook slack teams zoom vim emacs
    minecraft fortnite roblox photoshop jira github google-docs powerpoint notion discord whatsapp
    reddit twitter facebook instagram tiktok at in on by after before around five six seven eight
    nine ten eleven twelve food tips beer exposure sunrise sunset away out off ish pyjamas pajamas
    jeans free fun money peanuts charity myself yes no hello hi bye it's sales marketing accounting
    finance engineering legal procurement logistics support it"""
) - {"earth", "word"}
"""In lower case: capitals that begin no name, no place and no employer."""
NO_EMPLOYER_SPARED: Final = word_set(
    """airbnb excel slack zoom github jira notion discord whatsapp reddit twitter facebook instagram tiktok
    roblox mars teams fortnite"""
)
"""In `NO_NAMES`, but people do work there."""
NO_PLACES: Final = word_set(
    """linux ubuntu debian fedora windows macos mac android ios iphone ipad chrome firefox safari brave
    edge opera python java javascript typescript rust go golang kotlin swift scala ruby php perl
    haskell elixir clojure react vue angular svelte django flask rails laravel node postgres
    postgresql mysql sqlite mongodb redis kafka kubernetes docker aws azure gcp cloudflare vercel
    netlify heroku spotify netflix signal telegram mastodon bluesky obsidian evernote trello asana
    linear figma sketch canva gmail protonmail thunderbird dvorak colemak qwerty neovim vscode
    intellij pycharm xcode gitlab bitbucket nixos arch wordpress shopify steam xbox playstation
    switch kindle bitcoin ethereum openai claude chatgpt copilot gemini terraform ansible jenkins
    team group phase step level page chapter section room apartment flat building floor row column
    gate plan option dark class part planet earth speed q1 q2 q3 q4 utc first tier premium
    management zone platform track lane seat house block version release edition mode bed"""
)
"""In lower case: what people move to, or live in, that is no place."""
ACRONYM_PLACES: Final = word_set("USA US UK UAE NYC LA SF DC EU NZ DRC HK KL BC NSW PNG USSR")
CUT_ABBREVIATIONS: Final = word_set(
    "st. ste. sta. sto. ft. mt. pt. dr. prof. mr. mrs. ms. rev. hon. capt. lt. col. gen. sgt. fr. dept. "
    "univ. no. st ste ft mt dr prof mr mrs ms rev the"
)
"""A name does not end with these: the rest of it is missing."""
ALLERGENS: Final = word_set(
    """peanut nut almond walnut hazelnut cashew pecan pistachio macadamia chestnut coconut shellfish
    shrimp prawn crab lobster mussel clam oyster scallop squid octopus crustacean fish salmon tuna
    cod anchovy seafood milk dairy lactose cheese egg wheat gluten rye barley oat corn maize rice
    buckwheat quinoa soy soya soybean tofu lupin lupine sesame mustard celery celeriac carrot tomato
    potato aubergine eggplant pepper paprika chilli chili garlic onion leek mushroom spinach avocado
    kiwi banana apple pear peach plum cherry apricot nectarine strawberry raspberry blueberry berry
    melon watermelon mango papaya pineapple orange lemon lime citrus grape grapefruit fig date
    pomegranate lychee fruit chocolate cocoa coffee cinnamon vanilla nutmeg coriander cilantro
    parsley cumin fennel saffron honey sulphite sulfite histamine yeast legume lentil chickpea pea
    bean meat beef pork chicken alpha-gal msg aspartame penicillin amoxicillin antibiotic aspirin
    ibuprofen paracetamol codeine morphine sulfa iodine insulin lidocaine anaesthetic anesthetic
    latex nickel wool cobalt chromium metal pollen birch alder hazel oak grass ragweed mugwort tree
    hay dust mite mould mold cat dog horse hamster rabbit fur dander feather down bee wasp hornet
    ant mosquito insect sting perfume fragrance formaldehyde lanolin cosmetic detergent sunscreen
    plaster adhesive chlorine sunlight sun ambrosia cypress olive sunflower poppy flaxseed linseed
    seed chamomile ginger turmeric cloves clove alcohol wine beer tobacco smoke naproxen
    tetracycline cephalosporin contrast"""
)
"""Singular, in lower case. A joke is allergic to anything else ("to Mondays")."""
NO_THINGS: Final = word_set(
    """it its this that these those you your yours him her his hers them they their theirs us me how
    when what where who why whether the one ones all both either neither my our being to i we he she
    everything nothing something anything a an some any no every each same other another such much
    many most more less few lot lots bit kind sort way ways option options version versions answer
    answers choice approach suggestion suggestions idea ideas plan plans today tonight tomorrow now
    here there better best worse first second third last latter former previous next above below
    myself yourself himself herself ourselves life living people everyone everybody nobody someone
    somebody anyone bullshit nonsense stuff crap shit hell sound sounds look looks result results
    response responses tone style step number one two three four five six seven eight nine ten mine
    yes explanation example examples summary draft title titles wording design layout font button
    colour color format list point points thought thoughts part parts chapter scene ending joke
    jokes as than for with about at from on in if but because though although very too so not never
    always sometimes usually"""
)
"""Words that make a liked thing no lasting taste, or no thing."""
JOBS: Final = word_set(
    """nurse doctor teacher engineer developer programmer scientist lawyer solicitor architect designer
    chef cook baker carpenter plumber electrician farmer pilot journalist translator librarian
    accountant dentist pharmacist photographer musician student pensioner physiotherapist
    psychologist midwife veterinarian vet worker officer firefighter driver manager barista waiter
    waitress bartender cleaner gardener mechanic welder painter roofer builder mason locksmith
    tailor hairdresser barber beautician secretary receptionist clerk cashier salesperson analyst
    consultant researcher professor lecturer tutor postdoc biologist chemist physicist mathematician
    economist statistician geologist historian archaeologist sociologist therapist counsellor
    counselor psychiatrist surgeon radiologist paramedic caregiver carer nanny au-pair editor writer
    author poet actor actress dancer singer composer producer director illustrator animator sculptor
    curator broker banker auditor actuary notary judge paralegal prosecutor soldier sailor captain
    fisherman fisher miner logger ranger zookeeper beekeeper winemaker brewer butcher fishmonger
    florist optician optometrist undertaker priest pastor rabbi imam courier postman postwoman
    mailman dispatcher controller planner surveyor technician operator administrator admin architect
    sysadmin tester recruiter trainer coach referee steward stewardess conductor guard bouncer
    detective policeman policewoman interpreter assistant apprentice intern trainee freelancer
    volunteer electrician glazier tiler plasterer potter goldsmith watchmaker luthier blacksmith
    bookbinder printer typesetter cartographer hydrologist meteorologist ecologist forester
    agronomist dietitian nutritionist audiologist speech-therapist podiatrist chiropractor masseur
    masseuse bookkeeper copywriter strategist marketer buyer merchandiser dramaturge restorer
    conservator caretaker janitor porter housekeeper concierge seamstress cobbler shoemaker
    glassblower stonemason bricklayer teaching"""
)
"""A job ends with one of these."""
JOB_KINDS: Final = word_set(
    """software web game data social police bus taxi truck tram train lorry van project product high
    primary secondary middle elementary nursery school kindergarten college university freelance
    retired senior junior assistant associate chief head lead staff civil electrical mechanical
    chemical structural aerospace biomedical environmental industrial nuclear network systems system
    security cloud database machine learning research art music maths math history english french
    german spanish science physics chemistry biology pe dance drama language clinical graphic
    interior landscape fashion pediatric paediatric dental veterinary legal medical er icu night
    pastry sous line business financial tax insurance real estate stage film sound lab laboratory
    home child self-employed part-time full-time trainee postdoctoral marine professional certified
    licensed registered qualified practising yoga ski swimming driving fitness personal tennis
    football tour travel park forest fire ship airline flight cabin crew commercial ux ui frontend
    backend front-end back-end full-stack embedded devops qa marketing sales hr human resources
    account community event events office executive administrative court conference sign sworn
    technical copy news sports crime book magazine wedding portrait wildlife street jazz classical
    session church bank hotel restaurant warehouse construction site factory garden tree dairy sheep
    organic wine care health mental public speech occupational massage beauty make-up theatre"""
)
"""What may stand before a job. "Careful driver" is no job."""
DATES: Final = word_set(
    "monday tuesday wednesday thursday friday saturday sunday noon midnight am pm o'clock"
)
"""In lower case: what is liked with one of these is an appointment."""
