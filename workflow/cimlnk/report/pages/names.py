"""Names of the modalities as they are read."""

from cimlnk.common.vocabulary import MODALITY_WORDS as MODALITY

__all__ = ["MODALITY"]
