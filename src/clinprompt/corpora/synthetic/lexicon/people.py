"""People and their lives: names, relatives, work, households, habits, services."""

from __future__ import annotations

from dataclasses import dataclass

from clinprompt.corpora.synthetic.lexicon.tables import words


@dataclass(frozen=True, slots=True)
class Term:
    """A word of a plain list, so that it can be drawn like the entries of the other tables."""

    name: str


def _terms(text: str) -> tuple[Term, ...]:
    return tuple(Term(name.strip()) for name in text.replace("\n", " ").split(";") if name.strip())


SURNAMES: tuple[str, ...] = words(
    """Abbott Alvarez Banerjee Brandt Castillo Chen Cooper Diaz Dubois Eriksen Farouk Fischer Garcia
    Gupta Hansen Haddad Ito Jensen Kaplan Kim Kowalski Larsen Lee Lopez Mbeki Mehta Moreau Nguyen
    Novak Okafor Olsen Ortiz Park Patel Quinn Reyes Rossi Sato Schmidt Silva Singh Tanaka Torres
    Vance Walsh Weber Wong Yilmaz Young Zhang"""
)
# Relative -> sex ("" where the word does not say it).
RELATIVES: dict[str, str] = {
    "mother": "f",
    "father": "m",
    "brother": "m",
    "sister": "f",
    "maternal grandmother": "f",
    "maternal grandfather": "m",
    "paternal grandmother": "f",
    "paternal grandfather": "m",
    "maternal aunt": "f",
    "paternal aunt": "f",
    "maternal uncle": "m",
    "paternal uncle": "m",
    "half-brother": "m",
    "half-sister": "f",
}
OCCUPATIONS: tuple[Term, ...] = _terms(
    """teacher; truck driver; plumber; electrician; accountant; farmer; bus driver; cook; librarian;
    carpenter; welder; secretary; mail carrier; nurse; bank teller; painter; mechanic; hairdresser;
    machinist; roofer; waiter; software engineer; warehouse worker; security guard; dairy farmer;
    postal clerk; fisherman; tailor; school principal; firefighter; police officer; coal miner;
    cashier; translator; journalist; musician; baker; gardener; flight attendant; dental hygienist;
    taxi driver; forester; paralegal; construction worker; store manager; office manager; chemist;
    surveyor; steel worker; janitor; pharmacist; lawyer; butcher; florist; architect; bricklayer"""
)
HOUSEHOLDS: tuple[Term, ...] = _terms(
    """lives alone; lives with spouse; lives with an adult son; lives with an adult daughter;
    lives in assisted living; lives with two roommates; lives in a third-floor walk-up;
    lives on a farm; lives with a partner and three children; lives in a mobile home;
    lives with an elderly parent; lives in senior housing; lives with a brother; lives in a duplex;
    lives with a sister and her family; lives in a shelter at present; lives in a rural area;
    widowed, lives alone; divorced, two grown children; married, no children; single, no children;
    married with four grandchildren; separated, shares custody; recently moved in with family;
    lives in a group home; lives with in-laws; lives in a one-story house; lives with a dog"""
)
PASTIMES: tuple[Term, ...] = _terms(
    """walks daily; swims twice a week; plays golf; gardens; sedentary; rides a stationary bike;
    does yoga; bowls in a league; hikes on weekends; coaches soccer; sings in a choir; knits;
    volunteers at a food bank; plays chess; fishes in summer; restores old cars; paints;
    drinks two cups of coffee a day; follows a low-salt diet; eats mostly at home;
    skips breakfast; vegetarian; uses a cane; walks with a walker; rarely exercises;
    lifts weights; dances on Fridays; reads a lot; keeps bees; takes care of grandchildren"""
)
ALCOHOL: tuple[str, ...] = (
    "drinks wine socially",
    "2 beers on weekends",
    "no alcohol",
    "rare alcohol use",
    "quit drinking in {year}",
    "never drinks",
    "a glass of wine with dinner",
    "heavy drinker until {year}",
    "drinks about {n} beers a week",
    "sober for {n} years",
    "social drinker",
    "former heavy alcohol use, stopped {n} years ago",
)
SUBSTANCES: tuple[str, ...] = (
    "denies illicit drugs",
    "no recreational drug use",
    "occasional edible cannabis",
    "remote cocaine use, none since {year}",
    "never used IV drugs",
    "no drug use",
)
# Names of services and papers that hold the name of a condition without saying that someone has it.
SERVICES: tuple[str, ...] = (
    "{x} clinic",
    "{x} support group",
    "{x} registry",
    "{x} screening",
    "{x} leaflet",
    "{x} education class",
    "{x} action plan",
    "{x} study",
    "{x} webinar",
)
