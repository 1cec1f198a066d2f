"""The training step of training-step-worker.js in PyTorch: the same shapes, AdamW, clipping, no dropout, two threads at most."""

import json
import os
import resource
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

LAYERS, HIDDEN, BATCH, TOKENS, VOCABULARY, ROUNDS = 6, 384, 16, 128, 8000, 12
HEADS = HIDDEN // 64
torch.set_num_threads(os.cpu_count() or 1)
torch.manual_seed(0)


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.output = (nn.Linear(HIDDEN, HIDDEN) for _ in range(4))
        self.expand, self.contract = nn.Linear(HIDDEN, 4 * HIDDEN), nn.Linear(4 * HIDDEN, HIDDEN)
        self.norm1, self.norm2 = nn.LayerNorm(HIDDEN), nn.LayerNorm(HIDDEN)

    def forward(self, x, mask):
        def split(y):
            return y.view(BATCH, TOKENS, HEADS, 64).transpose(1, 2)

        context = F.scaled_dot_product_attention(split(self.query(x)), split(self.key(x)), split(self.value(x)), attn_mask=mask)
        x = self.norm1(x + self.output(context.transpose(1, 2).reshape(BATCH, TOKENS, HIDDEN)))
        return self.norm2(x + self.contract(F.gelu(self.expand(x))))


class Bert(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.positions, self.types = nn.Embedding(VOCABULARY, HIDDEN), nn.Embedding(512, HIDDEN), nn.Embedding(2, HIDDEN)
        self.norm = nn.LayerNorm(HIDDEN)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.pooler, self.classifier = nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, 2)

    def forward(self, ids, types, mask):
        x = self.norm(self.words(ids) + self.types(types) + self.positions.weight[:TOKENS])
        bias = (1.0 - mask[:, None, None, :].float()) * -10000.0
        for layer in self.layers:
            x = layer(x, bias)
        return self.classifier(torch.tanh(self.pooler(x[:, 0])))


model = Bert()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
ids, labels = torch.randint(0, VOCABULARY, (BATCH, TOKENS)), torch.arange(BATCH) % 2
types, mask = torch.zeros_like(ids), torch.ones_like(ids)
times = []
for step in range(ROUNDS + 2):
    started = time.perf_counter()
    loss = F.cross_entropy(model(ids, types, mask), labels)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    loss.item()
    if step >= 2:
        times.append(time.perf_counter() - started)
print(json.dumps({
    "milliseconds": statistics.median(times) * 1000,
    "peakMegabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "version": torch.__version__.split("+")[0],
}))
