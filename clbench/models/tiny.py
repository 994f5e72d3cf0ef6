"""A small random BERT, made in memory, with which tests run real code without any file.

Its weights come from a seeded generator: they are the same in every process, and the global random state is
not changed.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import string
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import BertConfig, PreTrainedModel, PreTrainedTokenizerBase

HIDDEN_SIZE = 32
MAX_TOKENS = 512
_SEED = 20190202
_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# Frequent English words of the texts that the tests use: function words, then documentation and news.
_WORDS = """
the of and to in is that for it as was with be by on not he his but at are this have from or had an they
which one you were her all she there would their we him been has when who will more no if out so said what
up its about into than them can only other new some could time these two may then do first any my now such
like our over man me even most made after also did many before must through back years where much your way
well down should because each just those people how too little state good very make world still own see men
work long get here between both life being under never day same another know while last might us great old
year off come since against go came right used take three states himself few house use during without again
place around however home small found thought went say part once general high upon school every does got
left number course war until always away something fact though water less public put think almost hand
enough far took head yet government system better set told nothing night end why called find going look
asked later knew point next give group toward young let room side given order face per several
value return returns function class object file type list string name default method argument module
example text data key index array error true false none note model test train code read write line import
company bank trade oil price prices share shares million billion dollar net loss profit sales market stock
rate quarter interest report earn money grain crude ship dividend agreement corp inc ltd
film movie bad best story love book game player team season win computer windows program question answer
"""


def vocabulary() -> dict[str, int]:
    """The WordPiece vocabulary: special tokens, characters, continued characters, frequent words."""
    characters = string.ascii_lowercase + string.digits
    pieces = [*_SPECIALS, *string.punctuation, *characters, *(f"##{each}" for each in characters)]
    return {piece: index for index, piece in enumerate(dict.fromkeys([*pieces, *_WORDS.split()]))}


def config() -> BertConfig:
    """A BERT of 2 layers, 2 heads and hidden size 32."""
    from transformers import BertConfig

    return BertConfig(
        vocab_size=len(vocabulary()),
        hidden_size=HIDDEN_SIZE,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=4 * HIDDEN_SIZE,
        max_position_embeddings=MAX_TOKENS,
    )


def tokenizer() -> PreTrainedTokenizerBase:
    """A lower-casing BERT tokenizer over ``vocabulary()``."""
    from transformers import BertTokenizer

    return BertTokenizer(vocab=vocabulary(), model_max_length=MAX_TOKENS)


def model() -> PreTrainedModel:
    """A new copy of the model, in eval mode; every copy has the same weights."""
    return copy.deepcopy(_original())


@functools.cache
def _original() -> PreTrainedModel:
    """The model that is copied, so that its weights are drawn once per process."""
    import torch
    from transformers import BertModel

    generator = torch.Generator().manual_seed(_SEED)
    bound = (3 / HIDDEN_SIZE) ** 0.5  # standard deviation HIDDEN_SIZE ** -0.5
    # The constructor draws weights from the global random state; copies must be trainable wherever this runs.
    with torch.inference_mode(False), torch.no_grad(), torch.random.fork_rng(devices=[]):
        bert = BertModel(config(), add_pooling_layer=False)
        for name, parameter in sorted(bert.named_parameters()):
            if parameter.dim() == 2:
                # A deviation above BERT's 0.02, with which so narrow a model hardly mixes its tokens.
                # Uniform, because normal draws differ in their last bits between processors.
                parameter.uniform_(-bound, bound, generator=generator)
            else:
                parameter.fill_(1.0 if name.endswith("LayerNorm.weight") else 0.0)
    bert.eval()
    return bert


@functools.cache
def fingerprint() -> str:
    """A hash of the weights and the vocabulary."""
    digest = hashlib.sha256("\n".join(vocabulary()).encode())
    for name, tensor in sorted(_original().state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
