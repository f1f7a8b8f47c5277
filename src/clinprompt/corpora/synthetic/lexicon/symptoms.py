"""Symptoms by body system, and the body sites that pain, swelling and numbness are felt in."""

from __future__ import annotations

from dataclasses import dataclass

from clinprompt.corpora.synthetic.lexicon.tables import rows, values


@dataclass(frozen=True, slots=True)
class Symptom:
    """A complaint.

    Attributes:
        name: how a note calls it.
        also: other names that notes use.
        lay: how a patient calls it, fit for "trouble with ..." and "because of ...".
        system: body system (the same names as for conditions).
    """

    name: str
    also: tuple[str, ...]
    lay: str
    system: str

    @property
    def surfaces(self) -> tuple[str, ...]:
        """All names that a note may use."""
        return (self.name, *self.also)


_TABLE = """
# cardiac
chest pain | CP; chest discomfort | chest pain
chest tightness | chest pressure | a tight feeling in my chest
palpitations | heart racing | a pounding heart
leg swelling | pedal edema; leg edema | swollen legs
syncope | fainting; LOC | fainting spells
dyspnea on exertion | DOE; exertional dyspnea | getting winded on the stairs
lightheadedness | presyncope | feeling lightheaded
orthopnea | dyspnea when supine | trouble breathing when I lie flat
claudication | calf pain with walking | calf pain when I walk
# respiratory
cough | nonproductive cough | a cough that won't stop
productive cough | cough with sputum | a cough with phlegm
dyspnea | shortness of breath; SOB | shortness of breath
wheezing | audible wheeze | wheezing
hemoptysis | blood-streaked sputum | coughing up blood
hoarseness | hoarse voice; dysphonia | a hoarse voice
sore throat | throat pain; odynophagia | a sore throat
nasal congestion | stuffy nose | a stuffy nose
snoring | loud snoring | loud snoring
sneezing | sneezing fits | sneezing fits
# digestive
nausea | queasiness | nausea
vomiting | emesis | throwing up
abdominal pain | abd pain; belly pain | belly pain
epigastric pain | upper abdominal pain | pain in the upper belly
diarrhea | loose stools; watery stools | diarrhea
constipation | hard stools | constipation
heartburn | pyrosis | heartburn
bloating | abdominal distension | bloating
rectal bleeding | hematochezia; BRBPR | blood in my stool
black stools | melena; tarry stools | black stools
dysphagia | difficulty swallowing | trouble swallowing
jaundice | scleral icterus; yellow skin | yellow eyes
loss of appetite | poor appetite; anorexia | no appetite
early satiety | early fullness | feeling full after a few bites
hiccups | persistent hiccups | hiccups that keep coming back
# neurologic
headache | HA; headaches | headaches
dizziness | dizzy spells | dizziness
tremor | shaking of the hands; hand tremor | shaky hands
blurred vision | blurry vision | blurry vision
memory loss | forgetfulness | forgetting things
unsteady gait | gait instability; imbalance | trouble keeping my balance
seizure | convulsion | a seizure
slurred speech | dysarthria | slurred speech
facial droop | facial weakness | a drooping face
paresthesias | tingling of the feet | tingling in my feet
confusion | disorientation; altered mental status | being confused
double vision | diplopia | seeing double
light sensitivity | photophobia | light hurting my eyes
spinning sensation | vertigo | a spinning feeling
# endocrine
fatigue | tiredness; low energy | being tired all the time
fever | febrile episodes; pyrexia | a fever
chills | rigors; shaking chills | chills
night sweats | drenching night sweats | night sweats
weight loss | unintentional weight loss | losing weight without trying
weight gain | weight increase | putting on weight
excessive thirst | polydipsia | being thirsty all the time
hot flashes | vasomotor symptoms | hot flashes
heat intolerance | intolerance of heat | not standing the heat
cold intolerance | intolerance of cold | always feeling cold
hair loss | hair thinning; alopecia | hair loss
malaise | general malaise | feeling run down
# renal
dysuria | burning with urination; painful urination | burning when I pee
hematuria | blood in the urine; gross hematuria | blood in my urine
urinary frequency | frequent urination; polyuria | having to pee all the time
urinary urgency | sudden urge to urinate | a sudden urge to pee
flank pain | costovertebral pain | pain in my side
nocturia | waking at night to urinate | getting up at night to pee
urinary incontinence | urine leakage | leaking urine
pelvic pain | lower pelvic pain | pelvic pain
weak urine stream | urinary hesitancy | a weak urine stream
foamy urine | frothy urine | foamy urine
# musculoskeletal
back pain | low back pain; LBP; lumbago | back pain
neck pain | cervical pain | neck pain
joint stiffness | morning stiffness | stiff joints
muscle cramps | cramping; leg cramps | muscle cramps
muscle aches | myalgias; myalgia | muscle aches
joint pains | arthralgias; polyarthralgia | joint pains
muscle weakness | proximal weakness | weak muscles
jaw pain | pain with chewing | jaw pain
# skin
rash | skin rash; maculopapular rash | a rash
itching | pruritus | itchy skin
hives | urticarial rash; wheals | hives
easy bruising | ecchymoses | bruising easily
dry skin | xerosis | dry skin
blisters | vesicles; bullae | blisters
facial flushing | flushing | a flushed face
peeling skin | desquamation | peeling skin
brittle nails | nail changes | brittle nails
# psychiatric
low mood | depressed mood; sadness | feeling down
poor sleep | insomnia; sleep disturbance | poor sleep
nervousness | anxiety; anxious mood | feeling anxious
irritability | short temper | being irritable
poor concentration | difficulty concentrating | trouble concentrating
nightmares | vivid dreams | nightmares
daytime sleepiness | drowsiness; somnolence | being sleepy in the daytime
loss of interest | anhedonia | no interest in things
restlessness | agitation | feeling restless
crying spells | tearfulness | crying spells
# blood and infection
swollen glands | lymphadenopathy; enlarged lymph nodes | swollen glands
bleeding gums | gingival bleeding | bleeding gums
nosebleeds | epistaxis | nosebleeds
mouth sores | oral ulcers; stomatitis | mouth sores
pallor | pale skin | looking pale
petechiae | petechial spots | little red spots on my skin
# eye and ear
ear pain | otalgia; earache | an earache
ringing in the ears | tinnitus | ringing in my ears
muffled hearing | ear fullness | muffled hearing
red eyes | eye redness; conjunctival injection | red eyes
eye pain | ocular pain | eye pain
watery eyes | tearing; epiphora | watery eyes
runny nose | rhinorrhea; nasal discharge | a runny nose
dry mouth | xerostomia | a dry mouth
loss of smell | anosmia | no sense of smell
floaters | visual floaters | floaters
toothache | dental pain | a toothache
itchy eyes | ocular itching | itchy eyes
"""

SYMPTOMS: tuple[Symptom, ...] = tuple(
    Symptom(name, values(also), lay, group) for group, (name, also, lay) in rows(_TABLE, 3)
)

# Complaints of a limb or joint, said with a side and a site: "left knee pain".
LIMB_COMPLAINTS: tuple[str, ...] = (
    "pain",
    "swelling",
    "stiffness",
    "numbness",
    "weakness",
    "tenderness",
    "soreness",
)
LIMB_SITES: tuple[str, ...] = (
    "knee",
    "hip",
    "shoulder",
    "ankle",
    "wrist",
    "elbow",
    "foot",
    "hand",
    "thigh",
    "calf",
    "heel",
    "forearm",
    "upper arm",
    "thumb",
    "great toe",
    "groin",
)
SIDES: tuple[str, ...] = ("left", "right")
