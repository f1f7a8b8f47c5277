"""Radiology: studies, findings with the sites they occur at, and normal statements by region."""

from __future__ import annotations

from dataclasses import dataclass

from clinprompt.corpora.synthetic.lexicon.tables import rows, values


@dataclass(frozen=True, slots=True)
class Finding:
    """An abnormality seen on an image.

    Attributes:
        name: how a report calls it.
        also: other wordings.
        region: part of the body that the study shows.
        sites: where it may be; ``@`` stands for left or right.
        sized: whether reports measure it.
    """

    name: str
    also: tuple[str, ...]
    region: str
    sites: tuple[str, ...]
    sized: bool

    @property
    def surfaces(self) -> tuple[str, ...]:
        """All wordings that a report may use."""
        return (self.name, *self.also)


# Sets of sites that the table names with a leading ``=``.
_SITES: dict[str, tuple[str, ...]] = {
    "lung": (
        "@ lower lobe",
        "@ upper lobe",
        "right middle lobe",
        "lingula",
        "@ lung base",
        "@ lung apex",
        "@ perihilar region",
    ),
    "pleura": ("@ pleural space", "@ hemithorax", "@ costophrenic angle"),
    "mediastinum": ("anterior mediastinum", "@ hilum", "subcarinal region", "@ axilla"),
    "liver": ("hepatic dome", "@ hepatic lobe", "caudate lobe", "inferior right liver"),
    "kidney": ("@ kidney", "upper pole of the @ kidney", "lower pole of the @ kidney"),
    "bowel": ("sigmoid colon", "descending colon", "cecum", "terminal ileum", "ascending colon"),
    "brain": (
        "@ frontal lobe",
        "@ temporal lobe",
        "@ parietal lobe",
        "@ occipital lobe",
        "@ cerebellar hemisphere",
        "@ basal ganglia",
        "@ thalamus",
        "pons",
        "corona radiata",
    ),
    "disc": ("L3-L4", "L4-L5", "L5-S1", "C4-C5", "C5-C6", "C6-C7"),
    "vertebra": ("T12", "L1", "L2", "T11", "L3"),
    "joint": ("@ knee", "@ hip", "@ shoulder", "@ ankle", "@ wrist", "@ elbow"),
    "bone": (
        "distal @ radius",
        "proximal @ humerus",
        "@ femoral neck",
        "@ distal fibula",
        "@ tibial plateau",
        "@ scaphoid",
        "@ fifth metatarsal",
        "@ clavicle",
    ),
    "breast": (
        "upper outer quadrant of the @ breast",
        "@ subareolar region",
        "lower inner quadrant of the @ breast",
        "lower half of the @ breast",
    ),
    "neck": ("@ thyroid lobe", "thyroid isthmus", "@ parotid gland", "@ submandibular region"),
    "pelvis": ("@ ovary", "@ adnexa", "uterine fundus", "endometrial cavity"),
}

_TABLE = """
# chest
nodule | pulmonary nodule; solid nodule | =lung | sized
consolidation | airspace consolidation; focal consolidation | =lung |
ground-glass opacity | ground-glass attenuation; hazy opacity | =lung |
atelectasis | subsegmental atelectasis; linear atelectasis | =lung |
mass | spiculated mass; lobulated mass | =lung | sized
cavitary lesion | thick-walled cavity | =lung | sized
calcified granuloma | granuloma | =lung | sized
scarring | parenchymal scarring; fibrotic scarring | =lung |
infiltrate | patchy infiltrate; interstitial infiltrate | =lung |
bronchial wall thickening | peribronchial cuffing | =lung |
bullae | emphysematous bullae; paraseptal emphysema | =lung |
mucus plugging | mucoid impaction | =lung |
tree-in-bud opacities | centrilobular nodules | =lung |
effusion | layering effusion; free-flowing effusion | =pleura |
pneumothorax | apical pneumothorax; loculated pneumothorax | =pleura |
pleural thickening | pleural plaques | =pleura |
enlarged lymph nodes | lymphadenopathy; adenopathy | =mediastinum | sized
coronary calcification | calcified plaque | left anterior descending artery; right coronary artery |
aneurysmal dilatation | ectasia | ascending aorta; aortic arch; descending thoracic aorta | sized
pericardial thickening | pericardial calcification | right ventricle; left ventricle |
filling defect | pulmonary embolus | @ main pulmonary artery; @ lower lobe pulmonary artery |
# abdomen
cyst | simple cyst; exophytic cyst | =kidney | sized
stone | nonobstructing stone; calculus | =kidney | sized
hydronephrosis | pelvicaliectasis | @ kidney |
cortical thinning | cortical scarring | =kidney |
steatosis | fatty infiltration | liver |
hemangioma | hyperenhancing lesion; cavernous hemangioma | =liver | sized
hypodense lesion | hypoattenuating lesion | =liver | sized
surface nodularity | nodular contour | liver |
wall thickening | mural thickening; circumferential thickening | =bowel |
diverticula | diverticulosis; uncomplicated diverticula | =bowel |
fat stranding | inflammatory stranding; pericolonic stranding | =bowel |
abscess | rim-enhancing collection; fluid collection | @ paracolic gutter; pelvis; @ psoas | sized
gallstones | layering stones; sludge | gallbladder |
ductal dilatation | dilated duct | pancreatic head; common bile duct; pancreatic tail | sized
cystic lesion | cystic mass | pancreatic head; pancreatic tail; pancreatic body | sized
adenoma | nodule of low attenuation | @ adrenal gland | sized
infarct | wedge-shaped infarct | spleen; upper pole of the @ kidney |
dilated loops | air-fluid levels | jejunum; proximal small bowel; distal ileum |
free fluid | trace ascites; ascites | pelvis; @ paracolic gutter; perihepatic space |
mural thrombus | saccular aneurysm; fusiform aneurysm | \
    infrarenal aorta; @ common iliac artery | sized
# brain
acute infarct | restricted diffusion; lacunar infarct | =brain |
hemorrhage | intraparenchymal hemorrhage; hematoma | =brain | sized
edema | vasogenic edema; cytotoxic edema | =brain |
enhancing mass | ring-enhancing lesion | =brain | sized
encephalomalacia | gliosis; old infarct | =brain |
white matter hyperintensities | microvascular ischemic change | \
    corona radiata; @ centrum semiovale; pons |
demyelinating plaque | ovoid plaque; T2 hyperintense lesion | \
    @ centrum semiovale; pons; corpus callosum | sized
volume loss | atrophy; cortical atrophy | @ hippocampus; @ temporal lobe; cerebellar vermis |
extra-axial collection | subdural collection | @ frontal convexity; @ parietal convexity | sized
meningioma | dural-based mass | @ frontal convexity; left cavernous sinus; falx | sized
microhemorrhages | foci of susceptibility | =brain |
mucosal thickening | mucosal disease; retention cyst | \
    @ maxillary sinus; sphenoid sinus; ethmoid air cells |
high-grade stenosis | flow gap; occlusion | \
    @ middle cerebral artery; basilar artery; @ vertebral artery |
# spine
disc bulge | broad-based bulge; diffuse bulge | =disc |
disc protrusion | disc extrusion; paracentral protrusion | =disc |
foraminal narrowing | neural foraminal stenosis | =disc |
canal stenosis | central canal narrowing | =disc |
facet arthropathy | facet hypertrophy | =disc |
anterolisthesis | retrolisthesis; spondylolisthesis | =disc |
compression fracture | wedge deformity; height loss | =vertebra |
marrow edema | edema-like signal; endplate edema | =vertebra |
lytic lesion | sclerotic lesion | =vertebra | sized
annular fissure | annular tear | =disc |
# limb
joint effusion | effusion | =joint |
joint space narrowing | loss of joint space | =joint |
osteophytes | marginal osteophytes; spurring | =joint |
soft tissue swelling | periarticular swelling | =joint |
erosions | marginal erosions | =joint |
chondrocalcinosis | cartilage calcification | @ knee; @ wrist |
loose body | intra-articular body | @ knee; @ elbow; @ ankle | sized
dislocation | subluxation | @ shoulder; @ elbow |
fracture | transverse fracture; comminuted fracture; nondisplaced fracture | =bone |
cortical irregularity | periosteal reaction | =bone |
bone lesion | lucent lesion; enchondroma | =bone | sized
callus formation | healing fracture | =bone |
meniscal tear | complex tear; horizontal tear | \
    medial meniscus of the @ knee; lateral meniscus of the @ knee |
tendinosis | partial-thickness tear; full-thickness tear | @ supraspinatus; @ Achilles tendon |
# breast
irregular mass | spiculated mass | =breast | sized
microcalcifications | pleomorphic calcifications | =breast |
architectural distortion | focal asymmetry | =breast |
oval mass | fibroadenoma; circumscribed mass | =breast | sized
simple cyst | cluster of cysts | =breast | sized
# neck
hypoechoic nodule | spongiform nodule; solid hypoechoic nodule | =neck | sized
colloid cyst | cystic nodule | @ thyroid lobe; thyroid isthmus | sized
abnormal lymph node | enlarged node | @ submandibular region; @ supraclavicular fossa | sized
calcified plaque | heterogeneous plaque | @ carotid bulb; @ internal carotid artery |
# pelvis
fibroid | intramural fibroid; submucosal fibroid | uterine fundus; lower uterine segment | sized
hemorrhagic cyst | dominant follicle; complex cyst | @ ovary; @ adnexa | sized
endometrial thickening | endometrial polyp | endometrial cavity | sized
hydrosalpinx | tubular fluid collection | @ adnexa |
"""


def _sites(field: str) -> tuple[str, ...]:
    return _SITES[field[1:]] if field.startswith("=") else values(field)


FINDINGS: tuple[Finding, ...] = tuple(
    Finding(name, values(also), group, _sites(sites), sized == "sized")
    for group, (name, also, sites, sized) in rows(_TABLE, 4)
)

# Why a region is looked at, and what its findings may point to (names in the other tables).
INDICATIONS: dict[str, tuple[str, ...]] = {
    region: values(names)
    for region, (names,) in rows(
        """
# chest
cough; productive cough; dyspnea; hemoptysis; wheezing; chest pain; night sweats; weight loss; fever
# abdomen
abdominal pain; epigastric pain; flank pain; hematuria; jaundice; vomiting; weight loss; fever; \
    bloating; constipation
# brain
headache; dizziness; confusion; memory loss; seizure; slurred speech; facial droop; double vision; \
    unsteady gait; spinning sensation; blurred vision; tremor
# spine
back pain; neck pain; muscle weakness; paresthesias; unsteady gait; claudication
# limb
joint stiffness; joint pains; muscle weakness
# breast
swollen glands; weight loss
# neck
dysphagia; hoarseness; swollen glands; palpitations; weight loss; heat intolerance
# pelvis
pelvic pain; abdominal pain; urinary frequency; bloating
""",
        1,
    )
}
SUSPICIONS: dict[str, tuple[str, ...]] = {
    region: values(names)
    for region, (names,) in rows(
        """
# chest
pneumonia; lung cancer; tuberculosis; sarcoidosis; bronchiectasis; pulmonary fibrosis; COPD; \
    bronchitis; congestive heart failure; pulmonary hypertension; COVID-19
# abdomen
diverticulitis; Crohn disease; pancreatitis; cirrhosis; colon cancer; pyelonephritis; \
    small bowel obstruction; appendicitis; kidney stones; bladder cancer; ulcerative colitis
# brain
ischemic stroke; multiple sclerosis; Alzheimer disease; subdural hematoma; epilepsy; \
    transient ischemic attack; concussion
# spine
spinal stenosis; herniated disc; sciatica; osteoporosis; osteomyelitis; ankylosing spondylitis; \
    multiple myeloma
# limb
osteoarthritis; gout; rheumatoid arthritis; osteomyelitis; psoriatic arthritis; osteoporosis
# breast
breast cancer
# neck
thyroid nodules; hyperparathyroidism; hyperthyroidism; hypothyroidism; non-Hodgkin lymphoma
# pelvis
endometriosis; uterine fibroids; polycystic ovary syndrome
""",
        1,
    )
}


def bare(site: str) -> bool:
    """Whether the site is named without an article ("at L4-L5", but "in the left knee")."""
    return site[0].isupper()


STUDIES: dict[str, tuple[str, ...]] = {
    "chest": (
        "CT chest without contrast",
        "CT chest with IV contrast",
        "CT angiogram of the chest",
        "low-dose chest CT",
    ),
    "abdomen": (
        "CT abdomen and pelvis with contrast",
        "CT of the abdomen and pelvis",
        "MRI abdomen with and without contrast",
    ),
    "brain": ("MRI brain without contrast", "MRI of the brain", "MRI brain w/wo contrast"),
    "spine": ("MRI spine without contrast", "MRI of the spine", "spine MRI"),
    "limb": ("MRI extremity without contrast", "CT of the extremity", "extremity MRI"),
    "breast": ("diagnostic mammogram and ultrasound", "breast imaging", "breast ultrasound"),
    "neck": ("neck ultrasound", "ultrasound of the neck", "sonogram of the neck"),
    "pelvis": ("pelvic ultrasound", "transvaginal ultrasound", "US pelvis"),
}
# Normal statements; what stands in ``<>`` is a site.
NORMALS: dict[str, tuple[str, ...]] = {
    "chest": (
        "The <heart> is normal in size.",
        "<Heart> size is within normal limits.",
        "The <central airways> are patent.",
        "The <visualized upper abdomen> is unremarkable.",
        "The <thoracic aorta> is of normal caliber.",
    ),
    "abdomen": (
        "The <spleen> is unremarkable.",
        "<Liver> and <spleen> normal.",
        "The <appendix> is normal.",
        "The <bladder> is well distended and unremarkable.",
        "Normal appearance of the <stomach>.",
    ),
    "brain": (
        "The <ventricles> are normal in size.",
        "The <pituitary gland> is unremarkable.",
        "<Orbits> unremarkable.",
        "Normal flow voids in the <skull base vessels>.",
        "The <mastoid air cells> are clear.",
    ),
    "spine": (
        "The <conus medullaris> ends at a normal level.",
        "The <spinal cord> has normal signal.",
        "<Paraspinal soft tissues> are normal.",
        "Alignment of the <sacrum> is maintained.",
    ),
    "limb": (
        "The <neurovascular bundle> is intact.",
        "Normal signal of the <surrounding muscles>.",
        "<Growth plates> are closed.",
        "The <subcutaneous fat> is unremarkable.",
    ),
    "breast": (
        "The <skin> and <nipple> are unremarkable.",
        "The <axillary nodes> are normal.",
        "The <chest wall> is not involved.",
    ),
    "neck": (
        "The <trachea> is midline.",
        "The <submandibular glands> are normal.",
        "The <jugular veins> are patent.",
    ),
    "pelvis": (
        "The <cervix> is unremarkable.",
        "The <bladder> is normal.",
        "The <cul-de-sac> is clear.",
    ),
}
