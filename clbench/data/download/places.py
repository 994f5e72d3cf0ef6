"""The locations of the original files: public GitHub repositories at a fixed commit, with a hash per file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Original:
    """The files of one dataset.

    Attributes:
        repository: Owner and name on GitHub.
        commit: The commit of the repository.
        files: The SHA-1 of the git blob of each file, by its path in the repository.
        most_bytes: What each file may have at most.
    """

    repository: str
    commit: str
    files: dict[str, str]
    most_bytes: int = 64 * 2**20


TEXT_GCN = ("yao8839836/text_gcn", "962223652e9bb164ac2d83cd09fc7b8845ce860b")
GLUE = ("F0restL1n/BERT", "0d0288be08079531c7b3a85af3d532f9adb0f13a")

ORIGINALS = {
    "r8": Original(
        *TEXT_GCN,
        {
            "data/R8/train.txt": "70aa68ccd0cd4824711ae62cdf26ad3c9bd0e3e6",
            "data/R8/test.txt": "d1f384f75715d205c3a9ab87df3779f52783b99b",
        },
    ),
    "r52": Original(
        *TEXT_GCN,
        {
            "data/R52/train.txt": "cf0f0e694f54dd251b58fe9da6edb749e77b3dce",
            "data/R52/test.txt": "b4b189aed125defb69422f9dc6561b70e38ed757",
        },
    ),
    "20ng": Original(
        *TEXT_GCN,
        {
            "data/20ng.txt": "ebec493951e151a85477f68538b78266916c7a6b",
            "data/corpus/20ng.txt": "de034abac2ffce08a6aa384ab4072f39cda3fa00",
        },
    ),
    "dsc": Original(
        "ZixuanKe/LifelongSentClass",
        "d02aae98f2111bb72d3f18f6a568d166d64e7ad7",
        {
            "dat/dsc/Kindle_Store_dev.tsv": "e1831d105e369b7531b769f858021bcb18ff1190",
            "dat/dsc/Kindle_Store_test.tsv": "4167c2943b204a861e98ef3e2e686e606b84ddbf",
            "dat/dsc/Kindle_Store_train.tsv": "968298b7ca5770c224fb7c2f89095927881386d2",
            "dat/dsc/Movies_and_TV_dev.tsv": "e1bd7b05c8ec0e4f05bf5dc2c2b03121d3fd64dc",
            "dat/dsc/Movies_and_TV_test.tsv": "6b6c31e4c31831568e7aa876e62fbcccec9ad7e7",
            "dat/dsc/Movies_and_TV_train.tsv": "01770780256760f97a0b9bbf03ca7fdda0745f7c",
            "dat/dsc/Musical_Instruments_dev.tsv": "c4f88e668ee0ba3de37a035e2347620597f6db4c",
            "dat/dsc/Musical_Instruments_test.tsv": "e64c4de3b953914eed36f79ad4ccd50c36826361",
            "dat/dsc/Musical_Instruments_train.tsv": "c08c3527d524344ef1ac6211ae3d3350e1c032b0",
            "dat/dsc/Office_Products_dev.tsv": "86c45225d902cab8990cd0fde1e81eab2b27bffa",
            "dat/dsc/Office_Products_test.tsv": "660a7de787c9d9dfb35d9cf30c2ac08f10a554c5",
            "dat/dsc/Office_Products_train.tsv": "35eb69d500b9b6c218a30ec1463390c03fb961de",
            "dat/dsc/Patio_Lawn_and_Garden_dev.tsv": "36f5a44ba037800b934c0a19ad4e13986cf73d70",
            "dat/dsc/Patio_Lawn_and_Garden_test.tsv": "38a669e52d18b5e62dd4124c32a7ea8f201c1c37",
            "dat/dsc/Patio_Lawn_and_Garden_train.tsv": "0e2034146dfd5b6dc9370f804c0ce2d74c3d963a",
            "dat/dsc/Pet_Supplies_dev.tsv": "4a1b60b0d094d71fdb2d5916cffd04c7633d0e6a",
            "dat/dsc/Pet_Supplies_test.tsv": "edc77f9f28997378bf1fcd11493f8b1015c43e2d",
            "dat/dsc/Pet_Supplies_train.tsv": "efb0d16185eed96f65954bb88e03306f7a9e0c47",
            "dat/dsc/Sports_and_Outdoors_dev.tsv": "441c970a186a88a1a69bf69a0fdf7741e6c3e9de",
            "dat/dsc/Sports_and_Outdoors_test.tsv": "98867b8b01a451eb41dfe8d50e6c7b7e8482cd33",
            "dat/dsc/Sports_and_Outdoors_train.tsv": "35865b15fe1d8b4942d7350ea67bf70b0d0e7df3",
            "dat/dsc/Tools_and_Home_Improvement_dev.tsv": "de9ecb78c34a202f5230cee9d5256d278abe3016",
            "dat/dsc/Tools_and_Home_Improvement_test.tsv": "fd86cf360b15ed5d548bb1cb0a2afc58973049da",
            "dat/dsc/Tools_and_Home_Improvement_train.tsv": "75d91b200af77a49de9295eab57a39de152f2d26",
            "dat/dsc/Toys_and_Games_dev.tsv": "5676541cd61e5960c8572a40f9bc474636055368",
            "dat/dsc/Toys_and_Games_test.tsv": "6a5e0f6c51cce37e012001c7664882a5687b568f",
            "dat/dsc/Toys_and_Games_train.tsv": "bd834386e1c79b696992f331c268a11139d8121f",
            "dat/dsc/Video_Games_dev.tsv": "e8d1fbc3d4dfcad74292e5839c5a540e8fa7e1a2",
            "dat/dsc/Video_Games_test.tsv": "45b23673f8d729f647040a60a928e3b68618f4f0",
            "dat/dsc/Video_Games_train.tsv": "420e8213922bb31e8ba675da3df14d6607d9d5b8",
        },
    ),
    "rte": Original(
        *GLUE,
        {
            "glue_data/RTE/dev.tsv": "78e67cc19ff513f0db8a632a0402f1cfbbbf076b",
            "glue_data/RTE/train.tsv": "a0595a437bbda94ac819a87074225fa1270f1ee1",
        },
    ),
    "sst2": Original(
        *GLUE,
        {
            "glue_data/SST-2/dev.tsv": "b1285ff5696fd163af4737dfd5adf134525d2296",
            "glue_data/SST-2/train.tsv": "781e7d9833b405de7d1faff982d040c30be79fd5",
        },
    ),
    "mrpc": Original(
        *GLUE,
        {
            "glue_data/MRPC/dev.tsv": "435bde0d09c7162493322c948bdb1dcea0de7457",
            "glue_data/MRPC/dev_ids.tsv": "44bf80696afcc6ee06d1f1f643386eeeb0e9702e",
            "glue_data/MRPC/msr_paraphrase_train.txt": "b17fe53ea36acc5d94dac91e36e0f8c3e9a2a472",
            "glue_data/MRPC/train.tsv": "2016026695d14ac99ae2b237a09b6e18c8856d15",
        },
    ),
    "qqp": Original(
        *GLUE,
        {
            "glue_data/QQP/dev.tsv": "75842e0860b72c7d52778ad6d72b55edc6fb2c7d",
            "glue_data/QQP/train.tsv": "9298352dd48d3f0886865f9abad89d74c3360a2d",
        },
    ),
    "clinc150": Original(
        "clinc/oos-eval",
        "828f8093932c8fe6ca7936c3d2e52903b1c523de",
        {
            "data/data_full.json": "7a7b26c5f2dfbbf213f3e67d2dd0727e1af545aa",
        },
    ),
    "banking77": Original(
        "PolyAI-LDN/task-specific-datasets",
        "57ec275d8078af65b7731c2a98be812d844a6d6b",
        {
            "banking_data/train.csv": "98e2543cf482d0dca7bfb175ebe35d98efad95be",
            "banking_data/test.csv": "799687a8367359432985b8b13d85a2baf73f92dd",
        },
    ),
    "hwu64": Original(
        "jianguoz/Few-Shot-Intent-Detection",
        "fa9553312b1dba54b1be0aae2d30b13171f898e5",
        {
            "Datasets/HWU64/train/seq.in": "cc0fe2a72e3bca793da173def2ef908b291c1069",
            "Datasets/HWU64/train/label": "4b80b42be4fdc3c2330f04ec66455474bd8f4a79",
            "Datasets/HWU64/valid/seq.in": "dc46c6d7924aa780f9e9ec7803e96ab734c17cb0",
            "Datasets/HWU64/valid/label": "87162a07c19de83f65eb76c20d82f4d8fa6bc16d",
            "Datasets/HWU64/test/seq.in": "d845762ff03686be68607fb323f27fec6f416b60",
            "Datasets/HWU64/test/label": "87162a07c19de83f65eb76c20d82f4d8fa6bc16d",
        },
    ),
}
