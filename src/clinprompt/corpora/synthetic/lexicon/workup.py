"""Laboratory tests, vital signs, examinations to order, and operations."""

from __future__ import annotations

from dataclasses import dataclass

from clinprompt.corpora.synthetic.lexicon.tables import rows, values


@dataclass(frozen=True, slots=True)
class Measure:
    """A laboratory value or a vital sign.

    Attributes:
        name: name as in "the potassium".
        also: abbreviations that notes use.
        unit: unit as written after the number, with its leading blank; "" for none.
        decimals: digits after the point.
        low, high: range of values that are drawn, from clearly low to clearly high.
    """

    name: str
    also: tuple[str, ...]
    unit: str
    decimals: int
    low: float
    high: float

    @property
    def surfaces(self) -> tuple[str, ...]:
        """All names that a note may use."""
        return (self.name, *self.also)


@dataclass(frozen=True, slots=True)
class Procedure:
    """An operation a patient may have had, or an examination that may be ordered.

    Attributes:
        also: other names.
        lay: how a patient calls it.
        tags: ``m`` men only, ``f`` women only, ``o`` only in older people.
        system: body system that an examination looks into; "" for operations.
    """

    name: str
    also: tuple[str, ...]
    lay: str
    tags: str
    system: str = ""

    @property
    def surfaces(self) -> tuple[str, ...]:
        """All names that a note may use."""
        return (self.name, *self.also)


LABS: tuple[Measure, ...] = tuple(
    Measure(name, values(also), f" {unit}" if unit else "", int(digits), float(lo), float(hi))
    for _, (name, also, unit, digits, lo, hi) in rows(
        """
potassium | K | mmol/L | 1 | 2.8 | 6.2
sodium | Na | mmol/L | 0 | 124 | 150
creatinine | Cr | mg/dL | 1 | 0.6 | 4.8
hemoglobin | Hgb; Hb | g/dL | 1 | 6.5 | 16.5
white cell count | WBC | K/uL | 1 | 2.1 | 22.0
platelet count | Plt; platelets | K/uL | 0 | 45 | 480
glucose | Glu; blood sugar | mg/dL | 0 | 55 | 410
hemoglobin A1c | HbA1c; A1c | % | 1 | 4.9 | 12.5
TSH | thyrotropin | mIU/L | 1 | 0.2 | 14.0
INR | - | - | 1 | 0.9 | 5.2
ALT | SGPT | U/L | 0 | 12 | 340
CRP | C-reactive protein | mg/L | 0 | 2 | 180
LDL cholesterol | LDL | mg/dL | 0 | 52 | 210
lactate | lactic acid | mmol/L | 1 | 0.7 | 6.0
calcium | Ca | mg/dL | 1 | 7.2 | 12.6
albumin | Alb | g/dL | 1 | 1.9 | 4.8
ferritin | - | ng/mL | 0 | 6 | 620
lipase | - | U/L | 0 | 20 | 900
uric acid | urate | mg/dL | 1 | 3.1 | 11.2
BUN | urea nitrogen | mg/dL | 0 | 7 | 85
magnesium | serum magnesium | mg/dL | 1 | 1.1 | 3.0
bilirubin | total bilirubin; T bili | mg/dL | 1 | 0.3 | 8.5
ESR | sed rate | mm/h | 0 | 4 | 110
BNP | - | pg/mL | 0 | 30 | 2400
PSA | - | ng/mL | 1 | 0.4 | 18.0
phosphorus | Phos | mg/dL | 1 | 1.8 | 6.5
triglycerides | TG | mg/dL | 0 | 60 | 620
vitamin B12 | B12 | pg/mL | 0 | 110 | 900
bicarbonate | HCO3; CO2 | mmol/L | 0 | 12 | 34
AST | SGOT | U/L | 0 | 11 | 310
""",
        6,
    )
)
VITALS: tuple[Measure, ...] = tuple(
    Measure(name, values(also), f" {unit}" if unit else "", int(digits), float(lo), float(hi))
    for _, (name, also, unit, digits, lo, hi) in rows(
        """
temperature | temp; T | C | 1 | 35.4 | 40.2
heart rate | HR; pulse | bpm | 0 | 44 | 148
respiratory rate | RR | breaths/min | 0 | 10 | 34
systolic pressure | SBP; systolic BP | mmHg | 0 | 82 | 206
oxygen saturation | SpO2; O2 sat | % | 0 | 80 | 99
weight | wt | kg | 0 | 46 | 138
""",
        6,
    )
)

OPERATIONS: tuple[Procedure, ...] = tuple(
    Procedure(name, values(also), lay, tags)
    for _, (name, also, lay, tags) in rows(
        """
appendectomy | appy; appendix removal | my appendix out | -
cholecystectomy | lap chole; gallbladder removal | my gallbladder out | -
hysterectomy | TAH; total hysterectomy | a hysterectomy | fo
coronary bypass | CABG; bypass surgery | a heart bypass | o
right knee replacement | right TKA; right TKR | my right knee replaced | o
left knee replacement | left TKA; left TKR | my left knee replaced | o
right hip replacement | right THA; right THR | my right hip replaced | o
left hip replacement | left THA; left THR | my left hip replaced | o
inguinal hernia repair | herniorrhaphy; hernia repair | a hernia fixed | -
tonsillectomy | T&A; tonsil removal | my tonsils out | -
cesarean section | C-section; cesarean delivery | a C-section | f
lumpectomy | breast-conserving surgery | a lump removed | f
coronary stenting | PCI; stent placement | a stent put in | o
pacemaker placement | PPM placement; pacemaker implantation | a pacemaker put in | o
cataract surgery | cataract extraction; phacoemulsification | a cataract removed | o
lumbar fusion | L4-S1 fusion; spinal fusion | my back fused | -
thyroidectomy | total thyroidectomy | my thyroid out | -
prostatectomy | radical prostatectomy | my prostate out | mo
gastric bypass | Roux-en-Y bypass | a gastric bypass | -
carpal tunnel release | median nerve release; CTR | my wrist nerve freed | -
rotator cuff repair | arthroscopic cuff repair | my shoulder fixed | -
sigmoid colectomy | partial colectomy; colon resection | part of my bowel removed | -
kidney transplant | renal transplant | a new kidney | -
aortic valve replacement | AVR; TAVR | a new heart valve | o
vasectomy | - | a vasectomy | m
sinus surgery | FESS; endoscopic sinus surgery | my sinuses cleaned out | -
splenectomy | laparoscopic splenectomy | my spleen out | -
ACL reconstruction | ACL repair | my knee ligament fixed | -
mastectomy | simple mastectomy | a breast removed | f
laminectomy | lumbar decompression | a back operation | -
septoplasty | deviated septum repair | my nose straightened | -
hemorrhoidectomy | hemorrhoid banding | my hemorrhoids removed | -
bunionectomy | bunion surgery | a bunion fixed | -
tubal ligation | - | my tubes tied | f
carotid endarterectomy | CEA | my neck artery cleaned | o
wrist fracture repair | ORIF of the wrist | my wrist plated | -
parathyroidectomy | - | a gland in my neck out | -
nephrectomy | partial nephrectomy | a kidney out | -
vein stripping | saphenous vein ablation | my leg veins done | -
skin graft | split-thickness skin graft | a skin graft | -
""",
        4,
    )
)
EXAMS: tuple[Procedure, ...] = tuple(
    Procedure(name, values(also), lay, tags, system)
    for system, (name, also, lay, tags) in rows(
        """
# cardiac
echocardiogram | echo; TTE | a heart ultrasound | -
stress test | treadmill test; exercise stress test | a stress test | -
Holter monitor | 24-hour Holter; ambulatory ECG | a heart monitor | -
ECG | EKG; 12-lead ECG | a heart tracing | -
leg vein duplex | venous Doppler; LE duplex | a leg vein scan | -
coronary angiogram | cardiac catheterization; cath | a heart catheter | o
tilt table test | tilt test | a tilt test | -
# respiratory
chest x-ray | CXR; chest radiograph | a chest x-ray | -
sleep study | polysomnogram; PSG | a sleep study | -
pulmonary function tests | PFTs; spirometry | a breathing test | -
CT of the chest | chest CT; CT chest | a chest scan | -
sputum culture | sputum Cx | a phlegm test | -
bronchoscopy | bronch | a lung camera test | -
# digestive
colonoscopy | - | a colonoscopy | o
upper endoscopy | EGD; gastroscopy | a camera test of my stomach | -
abdominal ultrasound | US abdomen; RUQ ultrasound | a belly ultrasound | -
CT of the abdomen | abdominal CT; CT A/P | a belly scan | -
liver biopsy | - | a liver biopsy | -
stool culture | stool Cx | a stool test | -
breath test | H. pylori breath test | a breath test | -
# neurologic
EMG | nerve conduction study; NCS | a nerve test | -
brain MRI | MRI brain; MRI of the brain | a brain scan | -
EEG | electroencephalogram | a brain wave test | -
lumbar puncture | LP; spinal tap | a spinal tap | -
carotid ultrasound | carotid duplex | a neck artery scan | -
# endocrine
thyroid ultrasound | US thyroid | a thyroid scan | -
bone density scan | DEXA; DXA scan | a bone scan | o
glucose tolerance test | OGTT | a sugar test | -
cortisol test | AM cortisol | a cortisol test | -
# renal
cystoscopy | - | a bladder camera test | -
urine culture | UCx | a urine culture | -
renal ultrasound | US kidneys; kidney ultrasound | a kidney scan | -
urinalysis | UA | a urine test | -
# musculoskeletal
lumbar spine MRI | MRI L-spine; MRI of the lumbar spine | a back scan | -
knee x-ray | knee radiographs | a knee x-ray | -
shoulder MRI | MRI of the shoulder | a shoulder scan | -
joint aspiration | arthrocentesis | a joint tap | -
# skin
skin biopsy | punch biopsy | a skin biopsy | -
patch testing | patch tests | a patch test | -
fungal scraping | KOH prep | a skin scraping | -
# psychiatric
PHQ-9 questionnaire | PHQ-9 | a mood questionnaire | -
neuropsychological testing | neuropsych testing | memory tests | -
urine drug screen | UDS | a drug screen | -
# blood and infection
blood cultures | BCx | blood cultures | -
bone marrow biopsy | marrow biopsy | a marrow biopsy | -
lymph node biopsy | node biopsy | a node biopsy | -
mammogram | screening mammogram | a mammogram | fo
# eye and ear
hearing test | audiogram; audiometry | a hearing test | -
visual field test | perimetry | an eye field test | -
allergy testing | skin prick tests | an allergy test | -
throat swab | rapid strep test | a throat swab | -
slit lamp exam | slit lamp examination | an eye exam | -
""",
        4,
    )
)
