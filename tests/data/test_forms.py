"""Each form of data as the same table, from a tiny file of that form."""

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from support.data_forms import FLAT, TEST, TRAIN, WRITERS, as_tsv, columns, error_of, table

from clbench.core.data_source import DataSource
from clbench.data.formats import read


@pytest.mark.parametrize("ending", WRITERS)
def test_files_of_each_form_are_the_same_table(ending, tmp_path):
    write, rows = WRITERS[ending]
    write(tmp_path / f"train.{ending}", rows)
    write(tmp_path / f"test.{ending}", TEST)
    assert table(tmp_path) == {"train": rows, "test": TEST}
    write(tmp_path / f"dev.{ending}", TEST[:1])
    assert table(tmp_path) == {"train": rows, "validation": TEST[:1], "test": TEST}


@pytest.mark.parametrize("form", ["parquet", "saved"])
def test_a_class_label_has_its_name(form, tmp_path):
    features = Features({"body": Value("string"), "queue": ClassLabel(names=["zeta", "alpha"])})
    rows = {"body": ["a", "b", "c"], "queue": [0, 1, 0]}
    made = Dataset.from_dict(rows, features=features)
    if form == "parquet":
        made.to_parquet(tmp_path / "train-00000-of-00002.parquet")
        made.to_parquet(tmp_path / "train-00001-of-00002.parquet")
        made.to_parquet(tmp_path / "test.parquet")
        place = tmp_path
    else:
        place = tmp_path / "saved"
        DatasetDict(train=made, test=made).save_to_disk(place)
    found = table(place, keys={"text": "body", "label": "queue"})
    assert found["test"] == [("a", "zeta"), ("b", "alpha"), ("c", "zeta")]
    assert len(found["train"]) == (6 if form == "parquet" else 3)
    message = error_of(place, keys={"text": "body"})
    assert "row 1: 'label' is missing; there are: body, queue; 'keys: {label: ...}'" in message


def test_one_saved_dataset_is_the_training_split(tmp_path):
    Dataset.from_dict(columns(TRAIN)).save_to_disk(tmp_path / "saved")
    found = table(tmp_path / "saved", test_share=0.3)
    assert sorted(found["train"] + found["test"]) == sorted(TRAIN)
    (tmp_path / "saved" / "state.json").write_text("{}")
    assert error_of(tmp_path / "saved").startswith("HERE cannot be read as a saved dataset: ")


def test_a_label_that_is_not_public_is_missing(tmp_path):
    features = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})
    Dataset.from_dict({"text": ["a", "b"], "label": [0, -1]}, features=features).to_parquet(
        tmp_path / "train.parquet"
    )
    assert error_of(tmp_path / "train.parquet") == "HERE, row 2: 'label' is missing"


def test_folders_of_folders_of_texts(tmp_path):
    for split in ("train", "test"):
        for label, texts in (("10", ["later", "x\r\ny"]), ("2", ["first"])):
            (tmp_path / split / label).mkdir(parents=True)
            for at, text in enumerate(texts):
                (tmp_path / split / label / f"{at + 9}.txt").write_bytes(text.encode())
        (tmp_path / split / ".hidden").mkdir()
        (tmp_path / split / "2" / ".DS_Store").write_bytes(b"\xff")
    expected = [("first", "2"), ("x\ny", "10"), ("later", "10")]  # 10.txt and 9.txt are texts, sorted as such
    assert table(tmp_path) == {"train": expected, "test": expected}
    assert len(table(tmp_path / "train", test_share=0.5)["train"]) == 2
    (tmp_path / "train" / "2" / "bad").write_bytes(b"ok\n\xff")
    assert error_of(tmp_path) == (
        "HERE/train/2/bad, line 2: not UTF-8: invalid start byte at byte 1; the key 'encoding' names another"
    )
    (tmp_path / "train" / "2" / "bad").unlink()
    (tmp_path / "train" / "2" / "inner").mkdir()
    assert "inner: expected a file with one text; '2' is taken as a class" in error_of(tmp_path)


@pytest.mark.parametrize(
    ("line", "problem"),
    [("no label", "expected '__label__' and a label"), ("__label__a __label__b text", "two labels")],
)
def test_a_line_of_fasttext_has_one_label(line, problem, tmp_path):
    (tmp_path / "train.txt").write_text(f"__label__a fine\n{line}\n")
    assert error_of(tmp_path / "train.txt").startswith(f"HERE, line 2: {problem}")


GLUE = {
    "RTE": ("index\tsentence1\tsentence2\tlabel", "0\tone\ttwo\tentailment", ("one", "two", "entailment")),
    "SST-2": ("sentence\tlabel", 'it "is\t1', ('it "is', None, "1")),
    "QQP": ("id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", "9\t1\t2\ta?\tb?\t0", ("a?", "b?", "0")),
    "MRPC": ("\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String", "1\t3\t4\tc\td", ("c", "d", "1")),
    "QNLI": ("index\tquestion\tsentence\tlabel", "0\tq\ts\tentailment", ("q", "s", "entailment")),
    "CoLA": (None, "gj04\t1\t\tOur friends.", ("Our friends.", None, "1")),
}


@pytest.mark.parametrize("task", GLUE)
def test_files_of_glue(task, tmp_path):
    header, line, row = GLUE[task]
    for name in ("train", "dev"):
        (tmp_path / f"{name}.tsv").write_text(
            "\n".join(filter(None, [header, line, line])) + "\n", encoding="utf-8"
        )
    (tmp_path / "test.tsv").write_text("index\tsentence\n0\tno label here\n")
    found = read(DataSource(tmp_path))
    split = found.splits["test"]
    assert [(*each,) for each in zip(split["text"], split["text_pair"], split["label"], strict=True)] == [
        row,
        row,
    ]
    assert set(found.splits) == {"train", "test"}
    assert "test: GLUE's split 'dev', as the labels of its test split are not public" in found.notes
    assert (
        "GLUE's split 'train'" in read(DataSource(tmp_path, format="glue", splits={"test": "train"})).notes[0]
    )


def test_what_is_no_glue_is_a_table_with_tabs(tmp_path):
    for name in ("train", "dev", "test"):
        as_tsv(tmp_path / f"{name}.tsv", FLAT)
    assert set(table(tmp_path)) == {"train", "validation", "test"}
    assert "not the header of a task of GLUE" in error_of(tmp_path, format="glue")


def test_csv_of_another_make(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;x\nb, c;y\nd;x\ne;y\n")
    found = table(path, columns=("text", "label"), separator=";", test_share=0.5)
    assert sorted(found["train"] + found["test"]) == [("a", "x"), ("b, c", "y"), ("d", "x"), ("e", "y")]
    assert error_of(path, columns=("text", "label")).startswith(
        "HERE, line 1: expected 2 cells (text, label), found 1"
    )
    path.write_text("text,text\na,b\n")
    assert error_of(path) == "HERE, line 1: 'text' is there twice"
    path.write_text('text,label\n"open,x\n')
    assert error_of(path) == "HERE, line 2: not CSV: unexpected end of data"
    path.write_text(f"text,label\n{'long ' * 100_000},x\nb,x\n")
    assert len(table(path, test_share=0.1)["train"]) == 1
