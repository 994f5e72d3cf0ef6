"""The capsules of B-CL and CTR for one text at a time, in plain loops."""

from __future__ import annotations

import torch

from clbench.methods.capsules.routing import TaskRouting
from clbench.methods.capsules.semantic import SemanticCapsules
from clbench.methods.capsules.transfer import TransferRouting

Vector = list[float]


def squash(vector: Vector) -> Vector:
    squared = sum(each * each for each in vector)
    return [squared / (1 + squared) * each / squared**0.5 for each in vector]


def dot(first: Vector, second: Vector) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))


def affine(layer: torch.nn.Linear, vector: Vector) -> Vector:
    rows = zip(layer.weight.tolist(), layer.bias.tolist(), strict=True)
    return [dot(row, vector) + bias for row, bias in rows]


def softmax(logits: Vector) -> Vector:
    values = torch.tensor(logits, dtype=torch.float64).softmax(0)
    return values.tolist()


def semantic(layers: SemanticCapsules, states: torch.Tensor) -> list[list[Vector]]:
    """[experience][token] of states (T, D)."""
    outputs = [affine(layers.layers, state) for state in states.tolist()]  # 3 N numbers per token
    found = [[[0.0] * 3 for _ in outputs] for _ in range(layers.experiences)]
    for token, output in enumerate(outputs):
        for number in range(3):
            along = squash([output[3 * each + number] for each in range(layers.experiences)])
            for each in range(layers.experiences):
                found[each][token][number] = along[each]
    return found


def route(routing: TaskRouting, capsules: list[list[Vector]], experience: int) -> list[Vector]:
    """[token] of capsules [experience][token]."""
    weights, count = routing.weights.tolist(), routing.experiences
    longest, tokens = len(weights[0][0][0]), len(capsules[0])
    out = [[0.0] * 3 for _ in range(tokens)]
    for c in range(3):
        priors = []
        for each in range(count):
            flat = [number for token in capsules[each] for number in token]
            flat += [0.0] * (3 * longest - len(flat))
            columns = zip(*weights[c][each], strict=True)
            priors.append([dot(flat, list(column)) for column in columns])
        logits = [0.0] * count
        for _ in range(3):
            blocked = [logit if each <= experience else -1e4 for each, logit in enumerate(logits)]
            shares = softmax(blocked)
            votes = [sum(shares[each] * priors[each][o] for each in range(count)) for o in range(longest)]
            logits = [logits[each] + dot(priors[each], squash(votes)) for each in range(count)]
        for token in range(tokens):
            out[token][c] = votes[token]
    return out


def convolution(layer: torch.nn.Linear, tokens: list[Vector], around: int, added: Vector) -> Vector:
    """ReLU and the maximum over all windows."""
    size = len(tokens[0])
    width = layer.in_features // size
    nothing = [[0.0] * size] * around
    tokens = [*nothing, *tokens, *nothing]
    tokens = tokens + [[0.0] * size] * (width - len(tokens))
    best = [0.0] * layer.out_features
    for start in range(len(tokens) - width + 1):
        window = [number for token in tokens[start : start + width] for number in token]
        for at, value in enumerate(affine(layer, window)):
            best[at] = max(best[at], value + added[at])
    return best


def transfer(routing: TransferRouting, capsules: list[list[Vector]], experience: int) -> list[Vector]:
    """[token] of capsules [experience][token], as in evaluation."""
    weights, tokens = routing.weights.tolist(), len(capsules[0])
    parts = []
    for each in range(routing.experiences):
        parts.append([])
        for token in range(tokens):
            numbers = []
            for c in range(3):
                columns = zip(*weights[c][each], strict=True)
                numbers += [dot(capsules[each][token], list(column)) for column in columns]
            parts[each].append(numbers)
    current: Vector = []
    for layer, width in zip(routing.current, (3, 4, 5), strict=True):
        current += convolution(layer, parts[experience], width - 2, [0.0] * 100)
    added = affine(routing.mixed, current)
    out = [[0.0] * 9 for _ in range(tokens)]
    for each in range(experience + 1):
        features: Vector = []
        for layer in routing.compared:
            features += convolution(layer, parts[each], 0, added)
        take, leave = affine(routing.decision, features)
        if take < leave:
            continue
        similarity = affine(routing.similarity, features)
        for token in range(tokens):
            for number in range(9):
                out[token][number] += similarity[number] * parts[each][token][number]
    return out
