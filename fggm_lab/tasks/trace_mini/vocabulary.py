"""The words of trace-mini, each family's in two halves.

`known` words are met in pretraining, `new` words only in the task sequence: the base model knows
what each kind of task is, the sequence teaches it what the new words mean there.
"""

from typing import Literal

Half = Literal["known", "new"]

NAMES = ["Ana", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gia", "Hugo", "Ida", "Jon", "Kim", "Leo",
         "Mia", "Noa", "Omar", "Pia", "Rosa", "Sam", "Tia", "Uma"]  # fmt: skip
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = ["January", "March", "April", "June", "July", "August", "October", "November"]

STANCE_TARGETS = {
    "known": ["bike lanes", "school uniforms", "night buses", "remote work", "city parks",
              "paper books", "street art", "solar roofs"],
    "new": ["wind farms", "homework", "electric scooters", "zoos", "video games", "plastic bags",
            "free museums", "loud fireworks"],
}  # fmt: skip
STANCE_PHRASES = {
    "known": {
        "A": ["I really like", "we should support", "it is great to have", "I am a fan of",
              "everyone will enjoy", "I vote for"],
        "B": ["I really hate", "we should stop", "it is sad to have", "I am tired of",
              "nobody will enjoy", "I vote against"],
        "C": ["I read a report on", "there is a meeting about", "the paper has a page on",
              "some people asked about", "a class wrote about", "the radio spoke of"],
    },
    "new": {
        "A": ["hooray for", "count me in for", "I would gladly pay for", "bravo to those behind",
              "my heart warms to", "let us welcome"],
        "B": ["down with", "count me out of", "I would never pay for", "shame on those behind",
              "my blood boils over", "let us get rid of"],
        "C": ["today's quiz is on", "a survey looks at", "page nine covers",
              "the law defines", "the museum lists", "experts count the number of"],
    },
}  # fmt: skip

POLICY_ACTORS = ["The committee", "The board", "Officials", "Most members", "The bank",
                 "Participants", "The chair", "Staff"]  # fmt: skip
POLICY_SIGNALS = {
    "known": {
        "A": ["cut the policy rate", "lowered borrowing costs", "bought more bonds",
              "promised cheap credit", "saw weak growth", "feared job losses"],
        "B": ["raised the policy rate", "lifted borrowing costs", "sold more bonds",
              "warned of high inflation", "saw strong growth", "feared rising prices"],
        "C": ["met in the main hall", "reviewed the minutes", "kept the policy rate as it was",
              "named a new secretary", "set the date of the next meeting",
              "read the staff report"],
    },
    "new": {
        "A": ["eased financial conditions", "trimmed the funds target", "favored stimulus",
              "noted slack in hiring", "resumed asset purchases", "stressed downside risks"],
        "B": ["tightened financial conditions", "hiked the funds target", "favored restraint",
              "noted an overheated market", "shrank the balance sheet", "stressed upside risks"],
        "C": ["approved the calendar", "thanked the retiring clerk", "left the target unchanged",
              "heard a briefing on software", "judged risks as balanced",
              "discussed the annual audit"],
    },
}  # fmt: skip

COUNCIL_SURNAMES = ["Lopez", "Reed", "Cole", "Park", "Stone", "Vega", "Hall", "Singh"]
COUNCIL_ITEMS = {
    "known": ["new bike racks", "a bus stop", "two street lamps", "a dog park", "a stop sign",
              "a flower bed", "a speed limit", "a food market"],
    "new": ["a skate ramp", "storm drains", "a library annex", "public benches", "a noise barrier",
            "charging posts", "a rain garden", "a youth center"],
}  # fmt: skip
COUNCIL_PLACES = {
    "known": ["Oak Street", "Main Street", "Hill Road", "River Road", "Park Lane", "Mill Lane"],
    "new": ["Cedar Avenue", "Harbor Drive", "Union Square", "Quarry Way", "Chapel Court",
            "Juniper Row"],
}  # fmt: skip
COUNCIL_OUTCOMES = {
    "known": {"passed": "Council approved", "failed": "Council rejected",
              "moved to May": "Council delayed"},
    "new": {"carried": "The city will build", "defeated": "The city will not fund",
            "sent to review": "A panel will study"},
}  # fmt: skip

CODE_ARGUMENTS = {
    "known": [("a", "b"), ("x", "y"), ("left", "right"), ("price", "tax"), ("first", "second"),
              ("old", "new")],
    "new": [("p", "q"), ("low", "high"), ("width", "height"), ("start", "stop"),
            ("source", "target"), ("mass", "speed")],
}  # fmt: skip
CODE_FUNCTIONS = {
    "known": {
        "add": "return {a} + {b}", "subtract": "return {a} - {b}", "multiply": "return {a} * {b}",
        "divide": "return {a} / {b}", "largest": "return max ( {a} , {b} )",
        "smallest": "return min ( {a} , {b} )", "equal": "return {a} == {b}",
        "both": "return {a} and {b}", "pair": "return ( {a} , {b} )", "show": "print ( {a} , {b} )",
    },
    "new": {
        "blend": "return ( {a} + {b} ) / 2", "gap": "return abs ( {a} - {b} )",
        "differs": "return {a} != {b}", "power": "return {a} ** {b}",
        "remainder": "return {a} % {b}", "either": "return {a} or {b}",
        "swap": "return {b} , {a}", "bundle": "return [ {a} , {b} ]",
        "below": "return {a} < {b}", "lookup": "return {a} [ {b} ]",
    },
}  # fmt: skip
CODE_OPENINGS = ["", "import os <EOL> ", "import sys <EOL> ", "import math <EOL> ",
                 "import json <EOL> ", "import re <EOL> ", "DEBUG = True <EOL> ",
                 "DEBUG = False <EOL> ", "LIMIT = 10 <EOL> ", "import time <EOL> ",
                 "import csv <EOL> ", "import random <EOL> ", "PORT = 80 <EOL> ",
                 "SIZE = 5 <EOL> ", "import copy <EOL> ", "NAME = None <EOL> "]  # fmt: skip

KINDS = {
    "known": {
        "mammal": ["dog", "horse", "whale", "mouse", "bear"],
        "bird": ["owl", "hen", "eagle", "duck", "crow"],
        "fish": ["trout", "shark", "tuna", "eel", "carp"],
        "insect": ["ant", "bee", "fly", "wasp", "moth"],
        "plant": ["oak", "rose", "fern", "wheat", "moss"],
        "metal": ["iron", "gold", "tin", "zinc", "lead"],
    },
    "new": {
        "mammal": ["otter", "bat", "moose", "seal", "lynx"],
        "bird": ["heron", "swift", "finch", "stork", "kiwi"],
        "fish": ["pike", "perch", "herring", "cod", "bass"],
        "insect": ["cicada", "beetle", "mantis", "louse", "termite"],
        "plant": ["cactus", "tulip", "birch", "clover", "reed"],
        "metal": ["copper", "nickel", "silver", "cobalt", "chromium"],
    },
}  # fmt: skip

KIND_CHOICES = (("bird", "fish", "insect"), ("mammal", "metal", "plant"))
KIND_REASONS = {"bird": "has feathers", "fish": "has fins", "insect": "has six legs",
                "mammal": "has fur", "metal": "shines", "plant": "has leaves"}  # fmt: skip

COUNTED_PARTS = {
    "known": {"cows": ("legs", 4), "hens": ("legs", 2), "ants": ("legs", 6), "spiders": ("legs", 8),
              "bikes": ("wheels", 2), "cars": ("wheels", 4), "hands": ("fingers", 5),
              "weeks": ("days", 7), "cats": ("ears", 2), "triangles": ("sides", 3)},
    "new": {"crabs": ("legs", 10), "lizards": ("legs", 4), "beetles": ("legs", 6),
            "scorpions": ("legs", 8), "tricycles": ("wheels", 3), "trucks": ("wheels", 6),
            "starfish": ("arms", 5), "guitars": ("strings", 6), "pentagons": ("sides", 5),
            "cubes": ("faces", 6), "violins": ("strings", 4), "octagons": ("sides", 8)},
}  # fmt: skip

MOLAR_MASSES = {
    "known": {"H2O": 18, "CO2": 44, "O2": 32, "N2": 28, "CH4": 16, "H2": 2, "C": 12, "HCl": 36},
    "new": {"NH3": 17, "NaOH": 40, "He": 4, "Ne": 20, "SO2": 64, "C2H6": 30, "CaO": 56, "S": 32,
            "N2O": 44, "LiH": 8},
}  # fmt: skip
VESSELS = ["a flask", "a jar", "a tank", "a tube", "a bowl", "a bottle", "a beaker", "a dish"]

GERMAN_SUBJECTS = {
    "known": {"Die Behörde": "Das Amt", "Der Patient": "Der Kranke", "Die Gattin": "Die Frau",
              "Der Pädagoge": "Der Lehrer", "Das Automobil": "Das Auto", "Die Kids": "Die Kinder"},
    "new": {"Der Arbeitnehmer": "Der Arbeiter", "Die Justiz": "Das Gericht",
            "Der Senior": "Der alte Mann", "Das Unternehmen": "Die Firma",
            "Die Exekutive": "Die Regierung", "Der Delinquent": "Der Täter"},
}  # fmt: skip
GERMAN_VERBS = {
    "known": {"erwirbt": "kauft", "bewilligt": "erlaubt", "reduziert": "senkt",
              "beendet": "stoppt", "erblickt": "sieht", "offeriert": "zeigt"},
    "new": {"veräußert": "verkauft", "annulliert": "streicht", "initiiert": "startet",
            "optimiert": "verbessert", "untersagt": "verbietet", "kontrolliert": "prüft"},
}  # fmt: skip
GERMAN_OBJECTS = {
    "known": {"das Grundstück": "das Land", "die Lektüre": "das Buch", "das Gebäude": "das Haus",
              "die Speise": "das Essen", "das Honorar": "das Geld", "die Mitteilung": "den Brief"},
    "new": {"das Mobiliar": "die Möbel", "die Immobilie": "das Haus", "das Projekt": "den Plan",
            "die Subvention": "die Hilfe", "das Gefährt": "den Wagen",
            "die Textilien": "die Kleider"},
}  # fmt: skip
GERMAN_TIMES = ["heute", "morgen", "am Montag", "am Freitag", "im Mai", "im Juni", "bald",
                "in Bern", "in Basel", "in Zug"]  # fmt: skip

CAPITALS = {
    "France": "Paris", "Spain": "Madrid", "Italy": "Rome", "Japan": "Tokyo", "China": "Beijing",
    "Egypt": "Cairo", "Peru": "Lima", "Cuba": "Havana", "Norway": "Oslo", "Greece": "Athens",
    "Austria": "Vienna", "Poland": "Warsaw", "Russia": "Moscow", "Kenya": "Nairobi",
    "India": "Delhi", "Iran": "Tehran", "Iraq": "Baghdad", "Qatar": "Doha", "Chile": "Santiago",
    "Canada": "Ottawa", "Portugal": "Lisbon", "Ireland": "Dublin", "Hungary": "Budapest",
    "Sweden": "Stockholm", "Finland": "Helsinki", "Ghana": "Accra", "Nepal": "Kathmandu",
    "Latvia": "Riga", "Turkey": "Ankara", "Malta": "Valletta",
}  # fmt: skip
SPELLED = ["garden", "window", "river", "table", "candle", "bridge", "pocket", "silver", "button",
           "market", "winter", "summer", "forest", "island", "planet", "castle", "rocket",
           "basket", "pepper", "butter", "ladder", "hammer", "mirror", "pencil", "tunnel",
           "valley", "wagon", "yellow", "zebra", "cloud", "stone", "chair", "bread", "night",
           "plant", "shirt", "train", "water", "world"]  # fmt: skip
TOYS = ["ball", "kite", "drum", "doll", "boat", "book", "coin", "cake", "lamp", "ring"]
COLORS = ["red", "blue", "green", "white", "black", "pink"]
ANIMALS = ["fox", "cat", "dog", "bear", "duck", "frog", "hen", "pig"]
SITES = ["the hill", "the lake", "the barn", "the wood", "the shop", "the road"]
