"""Can the classes be told from what no finding explains? Probes of the films, their labels and their split.

A probe classifies films from which the finding has been taken out: from the source's name, from ten intensity figures,
with the lungs blanked, from the border alone, or after the labels have been shuffled. What it finds beyond chance is
open to every model of the study as well, and is no reading of the film. docs/probes.md says how to read them.
"""
