"""Features and gradients taken out by hooks (Grad-CAM), a frozen body with a new head."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from tensorgrad import datasets


class FeatureExtractor:
    def __init__(self, model, layers):
        self.features = {}
        self.handles = [
            dict(model.named_modules())[layer].register_forward_hook(self.save(layer))
            for layer in layers
        ]

    def save(self, layer_id):
        def fn(_, inputs, output):
            assert isinstance(inputs, tuple)
            self.features[layer_id] = output

        return fn

    def remove(self):
        for handle in self.handles:
            handle.remove()


def grad_cam(model, image, layer):
    kept = {}
    forward = layer.register_forward_hook(lambda m, i, o: kept.update(activation=o.detach()))
    backward = layer.register_full_backward_hook(
        lambda m, gi, go: kept.update(gradient=go[0].detach())
    )
    score = model(image)
    model.zero_grad()
    one_hot = torch.zeros_like(score)
    one_hot[0, score.argmax(dim=1)] = 1
    score.backward(gradient=one_hot, retain_graph=False)
    forward.remove()
    backward.remove()
    weights = F.adaptive_avg_pool2d(kept["gradient"], 1)
    cam = F.relu(torch.mul(weights, kept["activation"]).sum(dim=1, keepdim=True))
    cam = F.interpolate(cam, size=image.shape[-2:], mode="bilinear", align_corners=False)
    cam -= cam.min()
    return (cam / (cam.max() + 1e-8)).squeeze().cpu().numpy()


def main(prepare):
    images, labels = datasets.digits(train=True)
    x = torch.as_tensor(images[:128]).to(torch.get_default_dtype()).view(-1, 1, 8, 8)
    x.sub_(x.mean()).div_(x.std())
    y = torch.as_tensor(labels[:128]).to(torch.int64)
    body = nn.Sequential()
    body.add_module("conv", nn.Conv2d(1, 8, 3, padding=1))
    body.add_module("act", nn.ReLU())
    body.add_module("pool", nn.MaxPool2d(2))
    model = prepare(nn.Sequential(body, nn.Flatten(), nn.Linear(8 * 16, 5)))
    for param in model.parameters():
        param.requires_grad = False
    in_features = model[2].in_features
    model[2] = prepare(nn.Linear(in_features, 10))
    trainable = filter(lambda p: p.requires_grad, model.parameters())
    optimizer = torch.optim.SGD(trainable, lr=0.1)
    history, norms = [], []
    hook = model[2].weight.register_hook(lambda grad: norms.append(grad.norm().item()))
    for _ in range(30):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    hook.remove()
    assert len(norms) == 30 and model[0].conv.weight.grad is None
    extractor = FeatureExtractor(model, layers=["0.conv", "0.pool"])
    model(x[:4])
    extractor.remove()
    assert {k: tuple(v.shape) for k, v in extractor.features.items()} == {
        "0.conv": (4, 8, 8, 8),
        "0.pool": (4, 8, 4, 4),
    }
    for param in model.parameters():
        param.requires_grad_(True)
    cam = grad_cam(model, x[:1], model[0].conv)
    assert cam.shape == (8, 8) and np.isclose(cam.max(), 1.0)
    saliency = x[:1].clone().requires_grad_()
    model(saliency).max().backward()
    assert saliency.grad.data.abs().max() > 0
    return history
