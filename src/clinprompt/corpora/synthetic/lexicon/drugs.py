"""Medicines: strengths, routes, how often, what they treat, and what harm they are known for."""

from __future__ import annotations

from dataclasses import dataclass

from clinprompt.corpora.synthetic.lexicon.tables import rows, values


@dataclass(frozen=True, slots=True)
class Drug:
    """A medicine.

    Attributes:
        name: generic name.
        brand: a trade name, or "".
        doses: usual single doses, from low to high.
        route: key of `dosing.ROUTES`.
        rhythm: key of `dosing.RHYTHMS`.
        treats: names of conditions and symptoms.
        effects: names of unwanted effects (symptoms, or entries of `dosing.HARMS`).
    """

    name: str
    brand: str
    doses: tuple[str, ...]
    route: str
    rhythm: str
    treats: tuple[str, ...]
    effects: tuple[str, ...]

    @property
    def surfaces(self) -> tuple[str, ...]:
        """All names that a note may use."""
        return (self.name, self.brand) if self.brand else (self.name,)


_TABLE = """
lisinopril | Zestril | 5 mg; 10 mg; 20 mg; 40 mg | po | daily | \
    hypertension; congestive heart failure | dry cough; lip swelling; hyperkalemia; dizziness
enalapril | Vasotec | 2.5 mg; 5 mg; 10 mg | po | bid | hypertension; congestive heart failure | \
    dry cough; lip swelling; hyperkalemia; lightheadedness
losartan | Cozaar | 25 mg; 50 mg; 100 mg | po | daily | hypertension | \
    dizziness; hyperkalemia; lightheadedness
amlodipine | Norvasc | 2.5 mg; 5 mg; 10 mg | po | daily | hypertension; angina | \
    leg swelling; facial flushing; headache; palpitations
metoprolol | Lopressor | 25 mg; 50 mg; 100 mg | po | bid | \
    hypertension; atrial fibrillation; angina | bradycardia; fatigue; cold hands; lightheadedness
carvedilol | Coreg | 3.125 mg; 6.25 mg; 12.5 mg | po | bid | \
    congestive heart failure; hypertension | bradycardia; dizziness; weight gain
bisoprolol | Zebeta | 2.5 mg; 5 mg; 10 mg | po | daily | hypertension; congestive heart failure | \
    bradycardia; fatigue; cold hands
furosemide | Lasix | 20 mg; 40 mg; 80 mg | po | daily | congestive heart failure; leg swelling | \
    hypokalemia; muscle cramps; dizziness
hydrochlorothiazide | HCTZ | 12.5 mg; 25 mg | po | daily | hypertension | \
    hyponatremia; hypokalemia; urinary frequency
spironolactone | Aldactone | 12.5 mg; 25 mg; 50 mg | po | daily | \
    congestive heart failure; cirrhosis | hyperkalemia; breast tenderness; dizziness
digoxin | Lanoxin | 125 mcg; 250 mcg | po | daily | \
    atrial fibrillation; congestive heart failure | \
    nausea; bradycardia; blurred vision
warfarin | Coumadin | 2.5 mg; 5 mg; 7.5 mg | po | evening | \
    atrial fibrillation; deep vein thrombosis; factor V Leiden | \
    nosebleeds; easy bruising; bleeding gums; hematuria
apixaban | Eliquis | 2.5 mg; 5 mg | po | bid | \
    atrial fibrillation; pulmonary embolism; deep vein thrombosis | \
    nosebleeds; easy bruising; rectal bleeding
rivaroxaban | Xarelto | 15 mg; 20 mg | po | evening | deep vein thrombosis; atrial fibrillation | \
    hematuria; bleeding gums; nosebleeds
aspirin | | 81 mg; 325 mg | po | daily | \
    coronary artery disease; ischemic stroke; transient ischemic attack | \
    heartburn; easy bruising; black stools
clopidogrel | Plavix | 75 mg | po | daily | \
    coronary artery disease; peripheral arterial disease; ischemic stroke | \
    easy bruising; nosebleeds; rash
atorvastatin | Lipitor | 10 mg; 20 mg; 40 mg; 80 mg | po | bedtime | \
    hyperlipidemia; coronary artery disease | muscle aches; elevated liver enzymes; muscle weakness
rosuvastatin | Crestor | 5 mg; 10 mg; 20 mg | po | daily | hyperlipidemia | \
    muscle aches; elevated liver enzymes; constipation
simvastatin | Zocor | 20 mg; 40 mg | po | bedtime | hyperlipidemia | \
    muscle aches; rhabdomyolysis; muscle cramps
ezetimibe | Zetia | 10 mg | po | daily | hyperlipidemia | diarrhea; joint pains
diltiazem | Cardizem | 120 mg; 180 mg; 240 mg | po | daily | \
    supraventricular tachycardia; atrial fibrillation; angina | \
    constipation; leg swelling; bradycardia
amiodarone | Pacerone | 100 mg; 200 mg; 400 mg | po | daily | atrial fibrillation | \
    tremor; thyroid dysfunction; sun sensitivity; elevated liver enzymes
nitroglycerin | Nitrostat | 0.3 mg; 0.4 mg | sl | prn | angina; chest pain | \
    headache; lightheadedness; facial flushing
hydralazine | | 10 mg; 25 mg; 50 mg | po | tid | hypertension | palpitations; headache; joint pains
albuterol | Ventolin | 1 puff; 2 puffs | inhaler | prn4 | asthma; COPD; wheezing | \
    palpitations; tremor; nervousness
tiotropium | Spiriva | 1 puff; 2 puffs | inhaler | daily | COPD | dry mouth; urinary retention
fluticasone | Flovent | 1 puff; 2 puffs | inhaler | bid | asthma | oral thrush; hoarseness
budesonide | Pulmicort | 1 puff; 2 puffs | inhaler | bid | asthma; COPD | \
    oral thrush; hoarseness; cough
mometasone | Nasonex | 1 spray; 2 sprays | nasal | daily | allergic rhinitis; nasal polyps | \
    nosebleeds; headache
montelukast | Singulair | 5 mg; 10 mg | po | evening | asthma; allergic rhinitis | \
    nightmares; low mood; irritability
prednisone | Deltasone | 10 mg; 20 mg; 40 mg; 60 mg | po | daily | \
    polymyalgia rheumatica; COPD; sarcoidosis; ulcerative colitis | \
    poor sleep; hyperglycemia; weight gain; irritability
azithromycin | Zithromax | 250 mg; 500 mg | po | daily | bronchitis; pneumonia; strep throat | \
    diarrhea; abdominal pain; prolonged QT interval
amoxicillin | Amoxil | 500 mg; 875 mg | po | tid | otitis media; strep throat; chronic sinusitis | \
    rash; diarrhea; hives
doxycycline | Vibramycin | 100 mg | po | bid | Lyme disease; acne; pneumonia | \
    sun sensitivity; nausea; epigastric pain
levofloxacin | Levaquin | 500 mg; 750 mg | po | daily | pneumonia; pyelonephritis | \
    tendon pain; poor sleep; prolonged QT interval
ciprofloxacin | Cipro | 250 mg; 500 mg | po | bid | \
    pyelonephritis; urinary tract infection; diverticulitis | tendon pain; diarrhea; confusion
trimethoprim-sulfamethoxazole | Bactrim | 1 tablet; 2 tablets | po | bid | \
    urinary tract infection; cellulitis | rash; hyperkalemia; hives
nitrofurantoin | Macrobid | 50 mg; 100 mg | po | bid | urinary tract infection; dysuria | \
    nausea; headache; fever
cephalexin | Keflex | 250 mg; 500 mg | po | qid | cellulitis; urinary tract infection | \
    diarrhea; rash; hives
clindamycin | Cleocin | 150 mg; 300 mg | po | tid | cellulitis; tonsillitis | \
    diarrhea; C. difficile infection; rash
metronidazole | Flagyl | 250 mg; 500 mg | po | tid | diverticulitis; Crohn disease | \
    metallic taste; nausea; paresthesias
vancomycin | Vancocin | 750 mg; 1000 mg; 1250 mg | iv | q12h | \
    osteomyelitis; endocarditis; sepsis | \
    facial flushing; acute kidney injury; itching
ceftriaxone | Rocephin | 1 g; 2 g | iv | q24h | pneumonia; pyelonephritis; sepsis | \
    diarrhea; rash; hives
piperacillin-tazobactam | Zosyn | 3.375 g; 4.5 g | iv | q6h | sepsis; diverticulitis | \
    fever; rash; diarrhea
valacyclovir | Valtrex | 500 mg; 1000 mg | po | tid | shingles; Bell palsy | \
    headache; nausea; confusion
oseltamivir | Tamiflu | 75 mg | po | bid | influenza | vomiting; nausea; nightmares
isoniazid | INH | 300 mg | po | daily | tuberculosis | elevated liver enzymes; paresthesias; rash
terbinafine | Lamisil | 250 mg | po | daily | onychomycosis | \
    loss of taste; elevated liver enzymes; rash
hydroxychloroquine | Plaquenil | 200 mg; 400 mg | po | daily | lupus; rheumatoid arthritis | \
    blurred vision; nausea; itching
methotrexate | Trexall | 7.5 mg; 10 mg; 15 mg | po | weekly | \
    rheumatoid arthritis; psoriatic arthritis; psoriasis | \
    mouth sores; elevated liver enzymes; hair loss; nausea
sulfasalazine | Azulfidine | 500 mg; 1000 mg | po | bid | \
    ulcerative colitis; rheumatoid arthritis | headache; rash; loss of appetite
adalimumab | Humira | 40 mg | sc | biweekly | \
    Crohn disease; rheumatoid arthritis; ankylosing spondylitis; psoriasis | \
    injection site reaction; sinus infection; rash
azathioprine | Imuran | 50 mg; 100 mg | po | daily | Crohn disease; lupus; myasthenia gravis | \
    leukopenia; acute pancreatitis; nausea
colchicine | Colcrys | 0.6 mg; 1.2 mg | po | bid | gout; pericarditis | \
    diarrhea; muscle weakness; vomiting
allopurinol | Zyloprim | 100 mg; 200 mg; 300 mg | po | daily | gout; kidney stones | \
    rash; itching; elevated liver enzymes
ibuprofen | Motrin | 200 mg; 400 mg; 600 mg | po | prn6 | \
    ankle sprain; headache; back pain; osteoarthritis | heartburn; epigastric pain; black stools
naproxen | Naprosyn | 250 mg; 500 mg | po | bid | osteoarthritis; gout; tennis elbow; back pain | \
    heartburn; leg swelling; black stools
meloxicam | Mobic | 7.5 mg; 15 mg | po | daily | \
    osteoarthritis; plantar fasciitis; rheumatoid arthritis | \
    epigastric pain; leg swelling; dizziness
acetaminophen | Tylenol | 325 mg; 500 mg; 650 mg; 1000 mg | po | prn6 | \
    fever; headache; osteoarthritis; back pain | elevated liver enzymes; rash
tramadol | Ultram | 50 mg; 100 mg | po | prn6 | back pain; osteoarthritis; spinal stenosis | \
    nausea; seizure; constipation; daytime sleepiness
oxycodone | Roxicodone | 5 mg; 10 mg | po | prn4 | hip fracture; back pain | \
    constipation; itching; daytime sleepiness; confusion
morphine | | 2 mg; 4 mg | iv | prn4 | hip fracture; myocardial infarction; pancreatitis | \
    itching; respiratory depression; nausea; urinary retention
gabapentin | Neurontin | 100 mg; 300 mg; 600 mg | po | tid | \
    peripheral neuropathy; shingles; sciatica; restless legs syndrome | \
    daytime sleepiness; dizziness; leg swelling; unsteady gait
pregabalin | Lyrica | 50 mg; 75 mg; 150 mg | po | bid | fibromyalgia; peripheral neuropathy | \
    weight gain; daytime sleepiness; blurred vision
duloxetine | Cymbalta | 30 mg; 60 mg | po | daily | \
    depression; fibromyalgia; peripheral neuropathy | nausea; dry mouth; sweating
cyclobenzaprine | Flexeril | 5 mg; 10 mg | po | bedtime | back pain; neck pain | \
    daytime sleepiness; dry mouth; confusion
sumatriptan | Imitrex | 50 mg; 100 mg | po | prn | migraine; cluster headaches | \
    chest tightness; facial flushing; paresthesias
topiramate | Topamax | 25 mg; 50 mg; 100 mg | po | bid | migraine; epilepsy | \
    paresthesias; kidney stones; poor concentration; weight loss
propranolol | Inderal | 10 mg; 20 mg; 40 mg | po | bid | \
    essential tremor; migraine; panic disorder | bradycardia; fatigue; nightmares; cold hands
amitriptyline | Elavil | 10 mg; 25 mg; 50 mg | po | bedtime | \
    migraine; irritable bowel syndrome; interstitial cystitis | \
    dry mouth; constipation; urinary retention; daytime sleepiness
levetiracetam | Keppra | 500 mg; 750 mg; 1000 mg | po | bid | epilepsy; seizure | \
    irritability; daytime sleepiness; low mood
lamotrigine | Lamictal | 25 mg; 100 mg; 200 mg | po | bid | epilepsy; bipolar disorder | \
    rash; double vision; dizziness
carbamazepine | Tegretol | 200 mg; 400 mg | po | bid | trigeminal neuralgia; epilepsy | \
    hyponatremia; double vision; rash
carbidopa-levodopa | Sinemet | 1 tablet; 2 tablets | po | tid | Parkinson disease | \
    nausea; confusion; vivid hallucinations
donepezil | Aricept | 5 mg; 10 mg | po | bedtime | Alzheimer disease; memory loss | \
    bradycardia; nightmares; diarrhea
pyridostigmine | Mestinon | 30 mg; 60 mg | po | tid | myasthenia gravis | \
    diarrhea; muscle cramps; sweating
ropinirole | Requip | 0.25 mg; 0.5 mg; 1 mg | po | bedtime | \
    restless legs syndrome; Parkinson disease | nausea; compulsive gambling; daytime sleepiness
sertraline | Zoloft | 25 mg; 50 mg; 100 mg | po | daily | depression; PTSD; panic disorder; OCD | \
    diarrhea; low libido; sweating; poor sleep
fluoxetine | Prozac | 10 mg; 20 mg; 40 mg | po | daily | depression; OCD; panic disorder | \
    poor sleep; low libido; nervousness; headache
escitalopram | Lexapro | 5 mg; 10 mg; 20 mg | po | daily | \
    generalized anxiety disorder; depression | low libido; nausea; prolonged QT interval
bupropion | Wellbutrin | 100 mg; 150 mg; 300 mg | po | daily | depression; nicotine dependence | \
    seizure; poor sleep; dry mouth; restlessness
venlafaxine | Effexor | 37.5 mg; 75 mg; 150 mg | po | daily | \
    generalized anxiety disorder; hot flashes; depression | \
    sweating; elevated blood pressure; nausea
mirtazapine | Remeron | 7.5 mg; 15 mg; 30 mg | po | bedtime | depression; loss of appetite | \
    weight gain; daytime sleepiness
trazodone | Desyrel | 25 mg; 50 mg; 100 mg | po | bedtime | chronic insomnia; poor sleep | \
    priapism; dizziness; daytime sleepiness
quetiapine | Seroquel | 25 mg; 50 mg; 200 mg | po | bedtime | bipolar disorder; schizophrenia | \
    weight gain; daytime sleepiness; hyperglycemia
risperidone | Risperdal | 0.5 mg; 1 mg; 2 mg | po | bid | schizophrenia; bipolar disorder | \
    muscle stiffness; breast discharge; restlessness
olanzapine | Zyprexa | 5 mg; 10 mg | po | bedtime | schizophrenia; bipolar disorder | \
    weight gain; hyperglycemia; dry mouth
lithium | Lithobid | 300 mg; 450 mg | po | bid | bipolar disorder | \
    tremor; excessive thirst; thyroid dysfunction; urinary frequency
lorazepam | Ativan | 0.5 mg; 1 mg; 2 mg | po | prn6 | panic disorder; seizure; nervousness | \
    confusion; daytime sleepiness; unsteady gait
zolpidem | Ambien | 5 mg; 10 mg | po | bedtime | chronic insomnia; poor sleep | \
    sleepwalking; confusion; memory loss
methylphenidate | Ritalin | 5 mg; 10 mg; 18 mg | po | morning | ADHD; poor concentration | \
    loss of appetite; poor sleep; palpitations
metformin | Glucophage | 500 mg; 850 mg; 1000 mg | po | meals | \
    type 2 diabetes; polycystic ovary syndrome; prediabetes | \
    diarrhea; nausea; B12 deficiency; bloating
glipizide | Glucotrol | 2.5 mg; 5 mg; 10 mg | po | daily | type 2 diabetes | \
    hypoglycemia; weight gain
sitagliptin | Januvia | 50 mg; 100 mg | po | daily | type 2 diabetes | \
    nasal congestion; joint pains; acute pancreatitis
empagliflozin | Jardiance | 10 mg; 25 mg | po | morning | \
    type 2 diabetes; congestive heart failure; chronic kidney disease | \
    yeast infection; urinary frequency; dizziness
semaglutide | Ozempic | 0.25 mg; 0.5 mg; 1 mg | sc | weekly | type 2 diabetes; obesity | \
    nausea; vomiting; constipation; acute pancreatitis
insulin glargine | Lantus | 10 units; 18 units; 24 units | sc | bedtime | \
    type 2 diabetes; type 1 diabetes | hypoglycemia; weight gain; injection site reaction
insulin lispro | Humalog | 4 units; 6 units; 8 units | sc | meals | \
    type 1 diabetes; type 2 diabetes | hypoglycemia; injection site reaction
levothyroxine | Synthroid | 25 mcg; 50 mcg; 88 mcg; 100 mcg | po | morning | hypothyroidism | \
    palpitations; poor sleep; heat intolerance
methimazole | Tapazole | 5 mg; 10 mg; 20 mg | po | daily | hyperthyroidism | \
    rash; leukopenia; joint pains
alendronate | Fosamax | 35 mg; 70 mg | po | weekly | osteoporosis; osteopenia | \
    heartburn; jaw pain; dysphagia
cholecalciferol | vitamin D3 | 1000 units; 2000 units | po | daily | \
    vitamin D deficiency; osteopenia | constipation; nausea
omeprazole | Prilosec | 20 mg; 40 mg | po | morning | GERD; peptic ulcer disease; gastritis | \
    diarrhea; hypomagnesemia; headache
pantoprazole | Protonix | 20 mg; 40 mg | po | daily | \
    GERD; peptic ulcer disease; Barrett esophagus | diarrhea; hypomagnesemia; bloating
famotidine | Pepcid | 20 mg; 40 mg | po | bid | GERD; heartburn | headache; constipation
ondansetron | Zofran | 4 mg; 8 mg | po | prn6 | nausea; vomiting | \
    constipation; headache; prolonged QT interval
metoclopramide | Reglan | 5 mg; 10 mg | po | meals | gastroparesis; nausea | \
    restlessness; daytime sleepiness; involuntary movements
loperamide | Imodium | 2 mg; 4 mg | po | prn | diarrhea; irritable bowel syndrome | \
    constipation; bloating
mesalamine | Asacol | 800 mg; 1200 mg | po | bid | ulcerative colitis | headache; abdominal pain
lactulose | Enulose | 15 mL; 30 mL | po | bid | cirrhosis; constipation | diarrhea; bloating
tamsulosin | Flomax | 0.4 mg | po | bedtime | \
    benign prostatic hyperplasia; kidney stones; weak urine stream | \
    lightheadedness; syncope; runny nose
finasteride | Proscar | 1 mg; 5 mg | po | daily | benign prostatic hyperplasia | \
    low libido; breast tenderness
oxybutynin | Ditropan | 5 mg; 10 mg | po | bid | overactive bladder; urinary urgency | \
    dry mouth; constipation; confusion
mirabegron | Myrbetriq | 25 mg; 50 mg | po | daily | overactive bladder; urinary frequency | \
    elevated blood pressure; headache
phenazopyridine | Pyridium | 100 mg; 200 mg | po | tid | dysuria; interstitial cystitis | \
    orange urine; headache
ferrous sulfate | Feosol | 325 mg | po | daily | iron deficiency anemia | \
    constipation; black stools; nausea
cyanocobalamin | | 1000 mcg | im | monthly | pernicious anemia | \
    injection site reaction; acne
latanoprost | Xalatan | 1 drop | eye | bedtime | glaucoma | red eyes; darkened iris; itchy eyes
timolol | Timoptic | 1 drop; 2 drops | eye | bid | glaucoma | bradycardia; blurred vision; wheezing
cyclosporine | Restasis | 1 drop | eye | bid | dry eye disease | eye pain; watery eyes
prednisolone | Pred Forte | 1 drop; 2 drops | eye | qid | uveitis | \
    raised eye pressure; blurred vision
cetirizine | Zyrtec | 5 mg; 10 mg | po | daily | allergic rhinitis; chronic urticaria; itching | \
    daytime sleepiness; dry mouth
loratadine | Claritin | 10 mg | po | daily | allergic rhinitis; hives | headache; dry mouth
diphenhydramine | Benadryl | 25 mg; 50 mg | po | prn6 | hives; itching; rash | \
    daytime sleepiness; confusion; urinary retention
triamcinolone | Kenalog | a thin layer | topical | bid | eczema; psoriasis; contact dermatitis | \
    skin thinning; acne
mupirocin | Bactroban | a small amount | topical | tid | cellulitis | itching; dry skin
ketoconazole | Nizoral | a thin layer | topical | daily | athlete's foot; seborrheic dermatitis | \
    dry skin; itching
azelaic acid | Finacea | a thin layer | topical | bid | rosacea; acne | \
    dry skin; itching; facial flushing
isotretinoin | Accutane | 20 mg; 40 mg | po | daily | acne | \
    dry skin; nosebleeds; low mood; elevated triglycerides
tamoxifen | Nolvadex | 10 mg; 20 mg | po | daily | breast cancer | \
    hot flashes; uterine polyps; deep vein thrombosis
letrozole | Femara | 2.5 mg | po | daily | breast cancer | hot flashes; joint pains; osteoporosis
leuprolide | Lupron | 7.5 mg; 22.5 mg | im | monthly | prostate cancer; endometriosis | \
    hot flashes; low mood; osteoporosis
ibrutinib | Imbruvica | 420 mg | po | daily | chronic lymphocytic leukemia | \
    atrial fibrillation; easy bruising; diarrhea
lenalidomide | Revlimid | 10 mg; 25 mg | po | daily | multiple myeloma | \
    leukopenia; deep vein thrombosis; rash
hydroxyurea | Hydrea | 500 mg; 1000 mg | po | daily | sickle cell disease; polycythemia vera | \
    mouth sores; leukopenia; brittle nails
naltrexone | Revia | 50 mg | po | daily | alcohol use disorder; opioid use disorder | \
    nausea; headache; elevated liver enzymes
buprenorphine-naloxone | Suboxone | 4 mg; 8 mg; 12 mg | sl | daily | opioid use disorder | \
    constipation; headache; sweating
varenicline | Chantix | 0.5 mg; 1 mg | po | bid | nicotine dependence | \
    vivid hallucinations; nausea; nightmares
nicotine | NicoDerm | 7 mg; 14 mg; 21 mg | patch | daily | nicotine dependence | rash; nightmares
lidocaine | Lidoderm | 1 patch; 2 patches | patch | daily | shingles; back pain | dry skin; rash
fentanyl | Duragesic | 12 mcg/h; 25 mcg/h | patch | q72h | spinal stenosis; lung cancer | \
    constipation; confusion; respiratory depression
enoxaparin | Lovenox | 40 mg; 60 mg; 80 mg | sc | q12h | \
    deep vein thrombosis; pulmonary embolism | \
    easy bruising; injection site reaction; hyperkalemia
pramipexole | Mirapex | 0.125 mg; 0.25 mg | po | bedtime | \
    Parkinson disease; restless legs syndrome | \
    compulsive gambling; daytime sleepiness; leg swelling
dimethyl fumarate | Tecfidera | 120 mg; 240 mg | po | bid | multiple sclerosis | \
    facial flushing; diarrhea; leukopenia
"""

DRUGS: tuple[Drug, ...] = tuple(
    Drug(name, brand, values(doses), route, rhythm, values(treats), values(effects))
    for _, (name, brand, doses, route, rhythm, treats, effects) in rows(_TABLE, 7)
)
