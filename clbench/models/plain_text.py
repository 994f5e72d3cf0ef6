"""Tokenization of texts that are text throughout: what looks like a special token there is none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class PlainText:
    """A fast tokenizer for texts whose ``[SEP]`` or ``<|endoftext|>`` are words like others.

    Special tokens come from the tokenizer's template alone. Some tokenizers have their special tokens among
    the pieces of words, too (those of T5 and XLM-R): there a space goes between the first character of such a
    token in a text and the rest of it.

    Args:
        tokenizer: A fast one.
        segments: Whether the model tells a text from its pair by segment ids.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, segments: bool) -> None:
        self._tokenizer = tokenizer
        self._segments = segments
        self._leaking = _leaking(tokenizer)
        names = ("eos", "bos", "sep", "cls", "pad", "unk")
        ids = (getattr(tokenizer, f"{name}_token_id", None) for name in names)
        self._alone = next((each for each in ids if each is not None), 0)

    def special_tokens(self, pairs: bool) -> int:
        """How many special tokens the tokenizer adds to a text, or to a pair of texts."""
        return int(self._tokenizer.num_special_tokens_to_add(pair=pairs))

    def tokens(
        self, texts: Sequence[str], pairs: Sequence[str] | None, max_tokens: int
    ) -> tuple[list[list[int]], ...]:
        """Token ids of each text and, for a model with segments, segment ids.

        Args:
            texts: N texts.
            pairs: N second texts, or None.
            max_tokens: Longer texts are cut to this length, the longer of two texts first.
        """
        encoded = self._tokenizer(
            [self._plain(text) for text in texts],
            None if pairs is None else [self._plain(text) for text in pairs],
            truncation="longest_first",
            max_length=max_tokens,
            return_token_type_ids=self._segments,
            return_attention_mask=False,
            split_special_tokens=True,
        )
        ids = [each or [self._alone] for each in encoded["input_ids"]]
        if not self._segments:
            return (ids,)
        return ids, [each or [0] for each in encoded["token_type_ids"]]

    def _plain(self, text: str) -> str:
        if self._leaking is None:
            return text
        return self._leaking.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)


def _leaking(tokenizer: PreTrainedTokenizerBase) -> re.Pattern[str] | None:
    """Finds the special tokens that the tokenizer would take for such in a text; None if there are none."""
    special = {each.content for each in tokenizer.added_tokens_decoder.values() if each.special}
    special -= {tokenizer.unk_token}
    contents = sorted(special, key=len, reverse=True)
    if not contents:
        return None
    ids = tokenizer(contents, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    own = [tokenizer.convert_tokens_to_ids(each) for each in contents]
    leaking = [re.escape(each) for each, id_, found in zip(contents, own, ids, strict=True) if id_ in found]
    return re.compile("|".join(leaking)) if leaking else None
