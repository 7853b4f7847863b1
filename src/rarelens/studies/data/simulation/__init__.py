"""Virtual cohorts: the MNI152 template's anatomy, warped per subject, with lesions drawn in."""
