"""What stands in a text is text: nothing in it becomes a special token."""

import pytest
from support.architectures import ARCHITECTURES, save
from transformers import AutoTokenizer

from clbench.core.errors import UserError
from clbench.models import tiny
from clbench.models.encoder import load_encoder

KINDS = {kind.tokenizer: name for name, kind in ARCHITECTURES.items()}


@pytest.fixture(scope="module", params=KINDS)
def loaded(request, tmp_path_factory):
    """An encoder for each kind of tokenizer, and the tokenizer as transformers reads it."""
    path = save(KINDS[request.param], tmp_path_factory.mktemp("encoder"))
    return load_encoder(str(path)), AutoTokenizer.from_pretrained(path)


def special(tokenizer) -> dict[str, int]:
    found = {each.content: at for at, each in tokenizer.added_tokens_decoder.items() if each.special}
    return {content: at for content, at in found.items() if content != tokenizer.unk_token}


def test_the_special_tokens_of_a_row_are_those_of_the_template_whatever_the_text(loaded):
    encoder, tokenizer = loaded
    known = special(tokenizer)
    assert known
    (plain,), (pair,) = (encoder.tokenize(["oil"], [other], 64) for other in (None, "oil"))
    for content, at in known.items():
        assert at in tokenizer(f"oil {content} oil", add_special_tokens=False)["input_ids"]  # unlike here
        for text in (content, f"oil {content} oil", f"oil{content}", content * 2):
            (row,) = encoder.tokenize([text], [None], 64)
            assert [x for x in row[:, 0] if x in known.values()] == [
                x for x in plain[:, 0] if x in known.values()
            ]
            (row,) = encoder.tokenize([text], [text], 64)
            assert [x for x in row[:, 0] if x in known.values()] == [
                x for x in pair[:, 0] if x in known.values()
            ]


def test_a_special_token_in_a_text_is_spelled_out():
    encoder, vocabulary = load_encoder("tiny"), tiny.vocabulary()
    (row,) = encoder.tokenize(["the [SEP] oil"], [None], 32)
    pieces = ["[CLS]", "the", "[", "s", "##e", "##p", "]", "oil", "[SEP]"]
    assert row[:, 0].tolist() == [vocabulary[piece] for piece in pieces]


def test_other_texts_have_the_tokens_of_transformers(loaded):
    encoder, tokenizer = loaded
    texts = ["the market of oil", "a question", "price <s", "[ SEP ]"]
    for text, row in zip(texts, encoder.tokenize(texts, [None] * 4, 64), strict=True):
        assert row[:, 0].tolist() == tokenizer(text)["input_ids"]


def test_a_text_without_a_token_has_one(loaded):
    encoder, tokenizer = loaded
    (row,) = encoder.tokenize([""], [None], 64)
    own = tokenizer("")["input_ids"]
    assert row[:, 0].tolist() == (own or [tokenizer.eos_token_id])


def test_rows_are_cut_at_the_end_whatever_the_tokenizer_prefers(loaded):
    encoder, _ = loaded
    whole, cut = (encoder.tokenize(["oil price market"], [None], limit)[0][:, 0] for limit in (64, 4))
    assert len(cut) == 4
    assert cut[:3].tolist() == whole[:3].tolist()


def test_a_limit_that_leaves_no_room_for_a_text_is_refused():
    encoder = load_encoder("tiny")
    with pytest.raises(UserError, match=r"^max_tokens 2: .* adds 2 special tokens to a text; at least 3 are"):
        encoder.tokenize(["oil"], [None], 2)
    with pytest.raises(UserError, match=r"^max_tokens 3: .* 3 special tokens to a pair .* at least 5 are"):
        encoder.tokenize(["oil"], ["oil"], 3)
