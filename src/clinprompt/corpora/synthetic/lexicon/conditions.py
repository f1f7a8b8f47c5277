"""Diseases by body system."""

from __future__ import annotations

from dataclasses import dataclass

from clinprompt.corpora.synthetic.lexicon.tables import rows, values


@dataclass(frozen=True, slots=True)
class Condition:
    """A disease.

    Attributes:
        name: how a note calls it in full.
        also: other names and abbreviations that notes use.
        lay: how a patient calls it, fit for "I have ...".
        system: body system.
        tags: ``a`` acute, ``c`` chronic, ``h`` runs in families, ``o`` only in older people,
            ``m`` men only, ``f`` women only.
    """

    name: str
    also: tuple[str, ...]
    lay: str
    system: str
    tags: str

    @property
    def surfaces(self) -> tuple[str, ...]:
        """All names that a note may use."""
        return (self.name, *self.also)


_TABLE = """
# cardiac
hypertension | HTN; high blood pressure | high blood pressure | ch
atrial fibrillation | AF; afib | an irregular heartbeat | c
coronary artery disease | CAD; ischemic heart disease | heart disease | ch
congestive heart failure | CHF; heart failure | heart failure | ch
aortic stenosis | aortic valve stenosis | a narrowed heart valve | co
mitral regurgitation | mitral valve regurgitation | a leaky heart valve | c
hyperlipidemia | HLD; high cholesterol | high cholesterol | ch
peripheral arterial disease | PAD; peripheral vascular disease | poor circulation in my legs | co
deep vein thrombosis | DVT | a blood clot in my leg | ah
pulmonary embolism | PE; pulmonary emboli | a blood clot in my lung | a
myocardial infarction | MI; heart attack | a heart attack | aho
pericarditis | acute pericarditis | inflammation around my heart | a
supraventricular tachycardia | SVT; paroxysmal SVT | a racing heart rhythm | c
dilated cardiomyopathy | cardiomyopathy | a weak heart muscle | ch
varicose veins | venous insufficiency | varicose veins | ch
abdominal aortic aneurysm | AAA | an aneurysm | coh
endocarditis | infective endocarditis | an infected heart valve | a
angina | stable angina; angina pectoris | angina | co
# respiratory
asthma | bronchial asthma; reactive airway disease | asthma | ch
COPD | chronic obstructive pulmonary disease | COPD | co
pneumonia | community-acquired pneumonia; CAP | pneumonia | a
obstructive sleep apnea | OSA; sleep apnea | sleep apnea | c
bronchitis | acute bronchitis | bronchitis | a
bronchiectasis | non-CF bronchiectasis | damaged airways | c
pulmonary fibrosis | IPF; idiopathic pulmonary fibrosis | scarred lungs | co
sarcoidosis | pulmonary sarcoidosis | sarcoidosis | c
pneumothorax | spontaneous pneumothorax; collapsed lung | a collapsed lung | a
tuberculosis | TB; pulmonary tuberculosis | tuberculosis | a
influenza | flu; influenza A | the flu | a
pulmonary hypertension | PAH | high pressure in my lungs | c
lung cancer | non-small cell lung cancer; NSCLC | lung cancer | oh
allergic rhinitis | hay fever; seasonal allergies | hay fever | ch
chronic sinusitis | sinusitis; chronic rhinosinusitis | sinus trouble | c
COVID-19 | covid; SARS-CoV-2 infection | covid | a
# digestive
GERD | gastroesophageal reflux disease; acid reflux | acid reflux | c
peptic ulcer disease | PUD; gastric ulcer | a stomach ulcer | c
gallstones | cholelithiasis | gallstones | ch
pancreatitis | acute pancreatitis | pancreatitis | a
diverticulitis | sigmoid diverticulitis | diverticulitis | a
Crohn disease | Crohn's; Crohn's disease | Crohn's disease | ch
ulcerative colitis | UC | ulcerative colitis | ch
celiac disease | gluten enteropathy | celiac disease | ch
irritable bowel syndrome | IBS | irritable bowel | c
cirrhosis | liver cirrhosis; hepatic cirrhosis | cirrhosis | c
hepatitis C | HCV; chronic hepatitis C | hepatitis C | c
fatty liver disease | NAFLD; hepatic steatosis | a fatty liver | c
appendicitis | acute appendicitis | appendicitis | a
hemorrhoids | internal hemorrhoids | hemorrhoids | c
colon cancer | colorectal cancer; CRC | colon cancer | oh
gastritis | H. pylori gastritis | gastritis | a
Barrett esophagus | Barrett's | Barrett's esophagus | co
inguinal hernia | groin hernia | a hernia | c
small bowel obstruction | SBO | a blocked bowel | a
gastroparesis | delayed gastric emptying | a slow stomach | c
# neurologic
migraine | migraine headaches; migraines | migraines | ch
epilepsy | seizure disorder | epilepsy | c
ischemic stroke | CVA; stroke | a stroke | aho
transient ischemic attack | TIA | a mini-stroke | ao
Parkinson disease | Parkinson's; PD | Parkinson's | co
multiple sclerosis | MS; relapsing-remitting MS | multiple sclerosis | c
peripheral neuropathy | polyneuropathy; neuropathy | nerve damage in my feet | c
Alzheimer disease | Alzheimer's; dementia | Alzheimer's | coh
carpal tunnel syndrome | CTS; median neuropathy | carpal tunnel | c
Bell palsy | Bell's palsy; facial nerve palsy | Bell's palsy | a
essential tremor | benign tremor | a tremor in my hands | ch
trigeminal neuralgia | tic douloureux | nerve pain in my face | c
restless legs syndrome | RLS | restless legs | ch
subdural hematoma | SDH | bleeding around the brain | ao
myasthenia gravis | MG | myasthenia | c
concussion | mild TBI; mild traumatic brain injury | a concussion | a
sciatica | lumbar radiculopathy | sciatica | c
cluster headaches | cluster headache | cluster headaches | c
# endocrine
type 2 diabetes | T2DM; DM2; type 2 diabetes mellitus | type 2 diabetes | ch
type 1 diabetes | T1DM; IDDM | type 1 diabetes | ch
hypothyroidism | underactive thyroid; Hashimoto thyroiditis | an underactive thyroid | ch
hyperthyroidism | Graves disease; overactive thyroid | an overactive thyroid | ch
obesity | morbid obesity; class 2 obesity | a weight problem | ch
osteoporosis | postmenopausal bone loss | thin bones | coh
osteopenia | low bone density | low bone density | co
Addison disease | adrenal insufficiency | adrenal insufficiency | c
Cushing syndrome | hypercortisolism | Cushing's | c
polycystic ovary syndrome | PCOS | PCOS | cf
vitamin D deficiency | low vitamin D | low vitamin D | c
gout | gouty arthritis | gout | ch
hyperparathyroidism | primary hyperparathyroidism | a parathyroid problem | c
thyroid nodules | multinodular goiter; goiter | thyroid nodules | ch
prediabetes | impaired fasting glucose | prediabetes | c
# renal
chronic kidney disease | CKD; chronic renal insufficiency | kidney disease | c
kidney stones | nephrolithiasis; renal calculi | kidney stones | ch
urinary tract infection | UTI; cystitis | a urinary infection | a
pyelonephritis | acute pyelonephritis; kidney infection | a kidney infection | a
benign prostatic hyperplasia | BPH; enlarged prostate | an enlarged prostate | cmo
acute kidney injury | AKI; acute renal failure | a kidney injury | a
overactive bladder | OAB; detrusor overactivity | an overactive bladder | c
polycystic kidney disease | PKD; ADPKD | polycystic kidneys | ch
nephrotic syndrome | membranous nephropathy | nephrotic syndrome | c
prostate cancer | prostate adenocarcinoma | prostate cancer | moh
bladder cancer | urothelial carcinoma | bladder cancer | o
endometriosis | pelvic endometriosis | endometriosis | cf
uterine fibroids | fibroids; leiomyomas | fibroids | cfh
stress incontinence | stress urinary incontinence | leaking urine | cf
interstitial cystitis | bladder pain syndrome | a painful bladder | c
# musculoskeletal
osteoarthritis | OA; degenerative joint disease; DJD | arthritis | cho
rheumatoid arthritis | RA; seropositive RA | rheumatoid arthritis | ch
spinal stenosis | lumbar spinal stenosis | a narrowed spine | co
rotator cuff tear | rotator cuff tendinopathy | a torn rotator cuff | c
plantar fasciitis | heel spur syndrome | plantar fasciitis | c
fibromyalgia | fibromyalgia syndrome | fibromyalgia | c
ankylosing spondylitis | axial spondyloarthritis | ankylosing spondylitis | ch
polymyalgia rheumatica | PMR | polymyalgia | co
lupus | SLE; systemic lupus erythematosus | lupus | ch
hip fracture | femoral neck fracture | a broken hip | ao
ankle sprain | sprained ankle | a sprained ankle | a
tennis elbow | lateral epicondylitis | tennis elbow | c
osteomyelitis | bone infection | a bone infection | a
herniated disc | lumbar disc herniation; HNP | a slipped disc | c
frozen shoulder | adhesive capsulitis | a frozen shoulder | c
psoriatic arthritis | psoriatic arthropathy | psoriatic arthritis | ch
scoliosis | thoracic scoliosis | a curved spine | ch
# skin
psoriasis | plaque psoriasis | psoriasis | ch
eczema | atopic dermatitis | eczema | ch
cellulitis | soft tissue infection | a skin infection | a
shingles | herpes zoster; zoster | shingles | a
rosacea | facial rosacea | rosacea | c
acne | acne vulgaris; cystic acne | acne | c
basal cell carcinoma | BCC | a skin cancer | o
melanoma | malignant melanoma | melanoma | h
contact dermatitis | irritant dermatitis | a skin allergy | a
chronic urticaria | chronic hives | chronic hives | c
athlete's foot | tinea pedis | athlete's foot | c
seborrheic dermatitis | seborrhea | a flaky scalp | c
vitiligo | depigmentation disorder | vitiligo | ch
pressure ulcer | sacral decubitus ulcer; pressure injury | a bedsore | ao
onychomycosis | toenail fungus | toenail fungus | c
# psychiatric
depression | MDD; major depressive disorder | depression | ch
generalized anxiety disorder | GAD; anxiety disorder | anxiety | ch
bipolar disorder | bipolar II disorder; bipolar affective disorder | bipolar disorder | ch
PTSD | post-traumatic stress disorder | PTSD | c
ADHD | attention deficit disorder; ADD | ADHD | ch
schizophrenia | schizoaffective disorder | schizophrenia | ch
chronic insomnia | insomnia disorder | trouble sleeping | c
panic disorder | panic disorder with agoraphobia | panic attacks | c
OCD | obsessive-compulsive disorder | OCD | c
alcohol use disorder | AUD; alcohol dependence | a drinking problem | ch
opioid use disorder | OUD; opioid dependence | an opioid problem | c
nicotine dependence | tobacco use disorder | a nicotine habit | c
# blood and infection
iron deficiency anemia | IDA; iron deficiency | low iron | c
breast cancer | breast carcinoma; invasive ductal carcinoma | breast cancer | fh
non-Hodgkin lymphoma | NHL; follicular lymphoma | lymphoma | o
multiple myeloma | myeloma | myeloma | o
chronic lymphocytic leukemia | CLL | leukemia | o
sickle cell disease | sickle cell anemia; HbSS disease | sickle cell disease | ch
factor V Leiden | hereditary thrombophilia | a clotting disorder | ch
HIV infection | HIV | HIV | c
Lyme disease | Lyme borreliosis | Lyme disease | a
hepatitis B | HBV; chronic hepatitis B | hepatitis B | c
mononucleosis | mono; EBV infection | mono | a
immune thrombocytopenia | ITP; thrombocytopenia | low platelets | c
polycythemia vera | PV | too many red cells | c
pernicious anemia | B12 deficiency | low B12 | ch
sepsis | urosepsis; septicemia | a blood infection | a
# eye and ear
glaucoma | open-angle glaucoma; POAG | glaucoma | ch
cataracts | bilateral cataracts; nuclear cataract | cataracts | co
macular degeneration | AMD; dry AMD | macular degeneration | coh
otitis media | middle ear infection | an ear infection | a
hearing loss | presbycusis; sensorineural hearing loss | hearing loss | co
Meniere disease | Meniere's; endolymphatic hydrops | Meniere's disease | c
conjunctivitis | pink eye; viral conjunctivitis | pink eye | a
tonsillitis | acute tonsillitis | tonsillitis | a
strep throat | streptococcal pharyngitis | strep throat | a
dry eye disease | keratoconjunctivitis sicca | dry eyes | c
diabetic retinopathy | proliferative retinopathy; NPDR | eye damage from diabetes | c
blepharitis | meibomian gland dysfunction | inflamed eyelids | c
nasal polyps | sinonasal polyposis | nasal polyps | c
retinal detachment | detached retina | a detached retina | a
uveitis | anterior uveitis; iritis | eye inflammation | a
"""

CONDITIONS: tuple[Condition, ...] = tuple(
    Condition(name, values(also), lay, group, tags)
    for group, (name, also, lay, tags) in rows(_TABLE, 4)
)
SYSTEMS: tuple[str, ...] = tuple(dict.fromkeys(entry.system for entry in CONDITIONS))
