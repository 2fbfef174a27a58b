"""The adversarial training of an ensemble, whatever the modality."""
