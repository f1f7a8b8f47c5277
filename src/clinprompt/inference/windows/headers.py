"""Names of the sections that clinical notes commonly have, in lower case without punctuation."""

from __future__ import annotations

_NAMES = """
a and p
a/p
abstract
active problems
addendum
admission date
admission diagnosis
admission medications
admitting diagnosis
allergies
allergies and medications
assessment
assessment and plan
assessment/plan
background
brief hospital course
cardiac risk factors
cc
chief complaint
clinical history
clinical impression
clinical indication
code status
comparison
complications
conclusion
condition at discharge
condition on discharge
consultations
current medications
course in hospital
date of birth
date of service
dh
dhx
diagnosis
diagnoses
diagnostic studies
diagnostics
discharge condition
discharge date
discharge diagnosis
discharge diagnoses
discharge disposition
discharge instructions
discharge medications
discharge plan
disposition
drug history
emergency department course
ecg
ekg
examination
family and social history
family history
family medical history
fh
fhx
final diagnosis
findings
follow up
follow up instructions
follow-up
followup
gynecologic history
history
history of present illness
history of presenting complaint
home medications
hospital course
hospital course by problem
hpc
hpi
imaging
immunizations
imp
impression
impression and plan
imp and plan
indication
indications
instructions
interval history
investigations
lab results
labs
laboratory
laboratory data
laboratory results
laboratory studies
labs and imaging
major surgical or invasive procedure
medical decision making
medical history
medication history
medications
medications at discharge
medications at home
medications on admission
medications on discharge
medications on transfer
mental status examination
neurological examination
objective
on examination
operative findings
operative note
other history
past history
past medical and surgical history
past medical history
past medical/surgical history
past psychiatric history
past surgical history
pathology
patient instructions
pertinent results
physical exam
physical examination
plan
pc
plan and discussion
pmh
pmhx
postoperative diagnosis
preoperative diagnosis
present illness
presenting complaint
problem list
problems
procedure
procedures
procedures performed
progress note
psychiatric history
psychosocial history
radiology
reason for admission
reason for consultation
reason for examination
reason for this examination
reason for visit
recommendation
recommendations
referral
results
review of systems
risk factors
ros
sh
shx
social and family history
social history
studies
subjective
summary
summary of hospital course
surgical history
technique
test results
travel history
treatment plan
vital signs
vitals
vitals reviewed
"""
KNOWN = frozenset(_NAMES.split("\n")[1:-1])


def known(title: str) -> bool:
    """Whether `title`, letter case and ``&`` for "and" apart, is a common section's name."""
    plain = " ".join(title.casefold().replace("&", " and ").split())
    return plain in KNOWN
