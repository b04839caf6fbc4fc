"""What things of a subject are called on an engine, and the labels that they bear.

Names and labels follow from kind and id alone, so that a repeated effect finds the earlier one, and absence needs no
spec. The node's own label is set by whoever carries an action out.
"""

from collections.abc import Mapping

from spunto.core.kernel.ids import bare

NODE_LABEL = "spunto.node"
ORG_LABEL = "spunto.org"
KIND_LABEL = "spunto.kind"
ID_LABEL = "spunto.id"
GENERATION_LABEL = "spunto.generation"


def name_of(word: str, subject_id: str) -> str:
    """The name of the subject's container, which its other things begin with; `word` is the kind's own."""
    return f"mp-{word}-{bare(subject_id)}"


def labels(kind: str, subject_id: str, *, org_id: str) -> Mapping[str, str]:
    """Of what stays when a container is replaced."""
    return {ORG_LABEL: org_id, KIND_LABEL: kind, ID_LABEL: subject_id}


def labels_of_generation(kind: str, subject_id: str, *, org_id: str, made_in: int) -> Mapping[str, str]:
    """Of a container, the same for a repeat of the same spec: what they equal is adopted."""
    return {**labels(kind, subject_id, org_id=org_id), GENERATION_LABEL: str(made_in)}
