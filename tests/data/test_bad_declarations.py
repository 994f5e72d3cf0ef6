"""What is wrong in a scenario's YAML file is one line with the key, the value and what is right."""

import pytest
from support.own_data import KEYS, declared

from clbench.core.errors import UserError
from clbench.data.stream import load_stream


def loaded(folder, text: str) -> None:
    scenario = declared(folder, text)
    load_stream(scenario, scenario.protocol)


D = "data: tickets\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kind: class\n", "the key 'data' is missing; it is a file or folder"),
        ("[a]", "expected a mapping with keys such as 'data'"),
        (f"kind: klass\n{D}", "kind is 'klass'; expected one of class, domain, task"),
        (f"{D}lables: [a]\n", "unknown key 'lables'; did you mean 'labels'"),
        (f"{D}lr: 0.1\n", "unknown key 'lr'"),
        (f"{D}labels: billing\n", "labels is 'billing'; expected a list of labels"),
        (f"{D}labels: 3\n", "labels is 3; expected a list of labels"),
        (f"{D}labels: {{a: 1}}\n", "labels is {'a': 1}; expected a list of labels"),
        (f"{D}labels: [a, [b]]\n", "labels is ['a', ['b']]; expected a list of labels"),
        (f"{D}labels: []\n", "labels is []; expected a list of labels"),
        (f"{D}labels: [login, login]\n{KEYS}", "labels has 'login' twice"),
        (f"{D}labels: [logn]\n{KEYS}", "unknown entry of labels 'logn'; did you mean 'login'"),
        (
            f"{D}classes_per_experience: 0\n",
            "classes_per_experience is 0; expected a whole number of at least 1, or",
        ),
        (f"{D}classes_per_experience: true\n", "classes_per_experience is True; expected a whole number"),
        (f"{D}classes_per_experience: [1, 2]\n{KEYS}", "adds up to 3, but there are 4 labels"),
        (f"{D}classes_per_experience: 2\nkind: domain\n", "classes_per_experience goes with kind class"),
        (f"{D}domains: [a]\n", "domains goes with kind domain, and the kind is class"),
        (f"{D}kind: task\nlabels: [a]\n", "labels goes with kind class, domain or language-model"),
        (f"{D}kind: task\ntasks: [a]\n", "unknown entry of tasks 'a'"),
        (f"{D}task_aware: sometimes\n", "task_aware is 'sometimes'; expected true or false"),
        (f"{D}seed: 3\n", "seed is 3, but neither 'order: random' nor test_share is set"),
        (f"{D}kind: task\nvisits: 2\n", "visits goes with kind class, domain or language-model"),
        (f"{D}visits: 0\n", "visits is 0; expected a whole number of at least 1"),
        (f"{D}drift: {{typos: 1.5}}\n", "drift: typos is 1.5; expected a number between 0 and 1"),
        (
            f"{D}drift: {{truncation: 1}}\n",
            "drift: truncation is 1; expected a number of at least 0 and below",
        ),
        (f"{D}drift: {{casing: much}}\n", "drift: casing is 'much'; expected a number between 0 and 1"),
        (f"{D}encoder_drift: 0\n", "encoder_drift is 0; expected a number above 0"),
        (f"{D}drift: {{typo: 0.1}}\n", "drift: unknown key 'typo'; did you mean 'typos'"),
        (f"{D}drift: 0.5\n", "drift is 0.5; expected a mapping such as {typos: 0.2"),
        (f"{D}order: shuffled\n", "order is 'shuffled'; expected declared or random"),
        (f"{D}test_share: 1\n", "test_share is 1; expected a number of at least 0 and below 1"),
        (f"{D}test_share: 0.5\n{KEYS}", "test_share is 0.5, but there is a test split"),
        (f"{D}separator: ab\n", "separator is 'ab'; expected one character"),
        (f"{D}empty_texts: keep\n", "empty_texts is 'keep'; expected refuse or drop"),
        (f"{D}format: xml\n", "format is 'xml'; expected one of jsonl, json, csv"),
        (f"{D}encoding: utf-7\n", "encoding is 'utf-7'; expected one of utf-8"),
        (D, "line 1: 'text' is missing; there are: body, queue, site; 'keys: {text: ...}' says which it is"),
        (f"data: ticket\n{KEYS}", "data: unknown file or folder 'ticket'; did you mean 'tickets'"),
        ("data: {hub: a/b}\n", "data: the key 'revision' is missing; it is the commit of the dataset"),
        (
            "data: {hub: a/b, revision: main}\n",
            "data: revision is 'main'; expected the commit of the dataset, 40",
        ),
        ("data: 3\n", "data is 3; expected a file or folder"),
        ("data: {}\n", "data is {}; expected a file or folder"),
        ("data: {a: tickets}\n", "goes with kind task, and the kind is class; a dataset on the hub is"),
        ("kind: task\ndata: {a: tickt}\n", "data: unknown file or folder 'tickt'; did you mean 'tickets'"),
        ("kind: task\ndata: {a: [b]}\n", "data is {'a': ['b']}; expected a file or folder"),
        ("kind: task\ndata: {a: {hub: a/b}}\n", "data a: the key 'revision' is missing; it is the commit of"),
        ("kind: task\ndata: {a: {hub: a/b, revison: c}}\n", "data a: unknown key 'revison'; did you mean"),
        (f"kind: task\ndata: {{hub: a/b, revision: {'0' * 40}}}\n", "kind task needs one for each task"),
        (f"kind: task\ndata: {{a: tickets}}\ntasks: [b]\n{KEYS}", "unknown entry of tasks 'b'"),
        (f"data: {{hub: a/b, revision: {'0' * 40}, keys: {{txt: a}}}}\n", "data: keys: unknown key 'txt'"),
        (f"{D}keys: {{txt: body}}\n", "keys: unknown key 'txt'; did you mean 'text'"),
        (f"{D}keys: {{text: a, label: a}}\n", "keys: the column 'a' is used twice"),
        (f"{D}keys: {{text: label}}\n", "keys: the column 'label' is used twice"),
        (f"{D}keys: {{text: text_pair}}\n", "keys: the column 'text_pair' is used twice"),
        (f"{D}splits: {{train: test, test: test}}\n", "splits: the split 'test' is used twice"),
        (f'{D}title: "a\\tb"\n', "title is 'a\\tb'; expected a line of text"),
        ('data: "a\\0b"\n', "data is 'a\\x00b'; expected a file or folder"),
        (f"{D}keys: body\n", "keys is 'body'; expected a mapping such as {text: body"),
        (f"{D}protocol: {{epoch: 3}}\n", "protocol: unknown key 'epoch'; did you mean 'epochs'"),
        (
            f"{D}protocol: {{epochs: many}}\n",
            "protocol: epochs is 'many'; expected a whole number of at least 1",
        ),
        (f"{D}protocol: {{epochs: 2.5}}\n", "protocol: epochs is 2.5; expected a whole number"),
        (f"{D}protocol: {{batch_size: true}}\n", "protocol: batch_size is True; expected a whole number"),
        (
            f"{D}protocol: {{max_tokens: 2}}\n",
            "protocol: max_tokens is 2; expected a whole number of at least 3",
        ),
        (
            f"{D}protocol: {{validation_share: 1}}\n",
            "protocol: validation_share is 1; expected a number of at least 0",
        ),
        (f"{D}protocol: {{train_per_class: 0}}\n", "protocol: train_per_class is 0; expected a whole number"),
        (f"{D}title: {'x' * 5000}\nkind: []\n", "kind is []; expected one of"),
        (f"{D}title: [{'x' * 5000}]\n", "...; expected a line of text"),
        ("[", "not YAML"),
        (f"{D}{D}", "line 2: the key 'data' is there twice"),
    ],
)
def test_a_bad_declaration_is_named(text, expected, tickets):
    with pytest.raises(UserError) as error:
        loaded(tickets, text)
    message = str(error.value)
    assert expected in message
    assert "\n" not in message
    assert len(message) < 300 + len(str(tickets))
