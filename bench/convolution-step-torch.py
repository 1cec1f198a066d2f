"""The training step of convolution-step-worker.js in PyTorch, in the faster of its two memory formats."""

import copy
import json
import os
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

BATCH, CLASSES, ROUNDS = 32, 10, 10
torch.set_num_threads(os.cpu_count() or 1)
torch.manual_seed(0)


def convolution(inputs, outputs, size, stride=1, groups=1, activation=None):
    layers = [nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, *([] if activation is None else [activation(inplace=True)]))


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.path = nn.Sequential(convolution(inputs, outputs, 3, stride, activation=nn.ReLU), convolution(outputs, outputs, 3))
        same = stride == 1 and inputs == outputs
        self.skip = nn.Identity() if same else convolution(inputs, outputs, 1, stride)

    def forward(self, x):
        return F.relu_(self.path(x) + self.skip(x))


def resnet18():
    layers = [convolution(3, 64, 7, 2, activation=nn.ReLU), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for stage, outputs in enumerate((64, 128, 256, 512)):
        layers += [BasicBlock(inputs, outputs, 1 if stage == 0 else 2), BasicBlock(outputs, outputs, 1)]
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, CLASSES))


class SqueezeExcite(nn.Module):
    def __init__(self, channels):
        super().__init__()
        squeezed = max(8, (channels // 4 + 4) // 8 * 8)
        layers = [nn.Conv2d(channels, squeezed, 1), nn.ReLU(inplace=True), nn.Conv2d(squeezed, channels, 1)]
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), *layers, nn.Hardsigmoid(inplace=True))

    def forward(self, x):
        return self.gate(x) * x


class InvertedResidual(nn.Module):
    def __init__(self, inputs, kernel, expanded, outputs, squeezes, activation, stride):
        super().__init__()
        self.path = nn.Sequential(
            *([] if expanded == inputs else [convolution(inputs, expanded, 1, activation=activation)]),
            convolution(expanded, expanded, kernel, stride, expanded, activation),
            *([SqueezeExcite(expanded)] if squeezes else []),
            convolution(expanded, outputs, 1),
        )
        self.same = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.path(x) if self.same else self.path(x)


def mobilenet_v3_small():
    rows = [
        (3, 16, 16, True, nn.ReLU, 2),
        (3, 72, 24, False, nn.ReLU, 2),
        (3, 88, 24, False, nn.ReLU, 1),
        (5, 96, 40, True, nn.Hardswish, 2),
        (5, 240, 40, True, nn.Hardswish, 1),
        (5, 240, 40, True, nn.Hardswish, 1),
        (5, 120, 48, True, nn.Hardswish, 1),
        (5, 144, 48, True, nn.Hardswish, 1),
        (5, 288, 96, True, nn.Hardswish, 2),
        (5, 576, 96, True, nn.Hardswish, 1),
        (5, 576, 96, True, nn.Hardswish, 1),
    ]
    layers, inputs = [convolution(3, 16, 3, 2, activation=nn.Hardswish)], 16
    for kernel, expanded, outputs, *rest in rows:
        layers.append(InvertedResidual(inputs, kernel, expanded, outputs, *rest))
        inputs = outputs
    layers += [convolution(inputs, 576, 1, activation=nn.Hardswish), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(576, 1024), nn.Hardswish(inplace=True), nn.Linear(1024, CLASSES))


def measure(network, images, labels, memory_format):
    model = copy.deepcopy(network).to(memory_format=memory_format).train()
    images = images.contiguous(memory_format=memory_format)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    times = []
    for step in range(ROUNDS + 2):
        started = time.perf_counter()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        loss.item()
        if step >= 2:
            times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000


name, side = sys.argv[1], int(sys.argv[2])
images, labels = torch.randn(BATCH, 3, side, side), torch.arange(BATCH) % CLASSES
formats = {"channels last": torch.channels_last, "contiguous": torch.contiguous_format}
network = {"resnet-18": resnet18, "mobilenet-v3-small": mobilenet_v3_small}[name]()
times = {name: measure(network, images, labels, memory_format) for name, memory_format in formats.items()}
best = min(times, key=times.get)
print(json.dumps({"milliseconds": times[best], "format": best, "version": torch.__version__.split("+")[0], "all": times}))
