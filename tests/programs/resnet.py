"""A small ResNet: BasicBlock, _make_layer, initialisation by isinstance, SGD with MultiStepLR,
accuracy by top k, the best checkpoint kept.
"""

import os
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.parallel
import torch.utils.model_zoo as model_zoo
from torch.optim import lr_scheduler

from tensorgrad import datasets

model_urls = {"resnet18": "https://download.example.org/resnet18.pth"}


def conv3x3(in_planes, out_planes, stride=1):
    return nn.Conv2d(in_planes, out_planes, kernel_size=3, stride=stride, padding=1, bias=False)


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, inplanes, planes, stride=1, downsample=None):
        super().__init__()
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x):
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self, block, layers, num_classes=10, zero_init_residual=False):
        super().__init__()
        self.inplanes = 8
        self.conv1 = nn.Conv2d(1, 8, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._make_layer(block, 8, layers[0])
        self.layer2 = self._make_layer(block, 16, layers[1], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(16 * block.expansion, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, (nn.BatchNorm2d, nn.GroupNorm)):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)
        if zero_init_residual:
            for m in self.modules():
                if isinstance(m, BasicBlock):
                    nn.init.constant_(m.bn2.weight, 0)

    def _make_layer(self, block, planes, blocks, stride=1):
        downsample = None
        if stride != 1 or self.inplanes != planes * block.expansion:
            downsample = nn.Sequential(
                nn.Conv2d(self.inplanes, planes * block.expansion, 1, stride=stride, bias=False),
                nn.BatchNorm2d(planes * block.expansion),
            )
        layers = [block(self.inplanes, planes, stride, downsample)]
        self.inplanes = planes * block.expansion
        for _ in range(1, blocks):
            layers.append(block(self.inplanes, planes))
        return nn.Sequential(*layers)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer2(self.layer1(x))
        x = torch.flatten(self.avgpool(x), 1)
        return self.fc(x)


def resnet(pretrained=False, **kwargs):
    model = ResNet(BasicBlock, [1, 1], **kwargs)
    if pretrained:
        model.load_state_dict(model_zoo.load_url(model_urls["resnet18"]))
    return model


def accuracy(output, target, topk=(1,)):
    with torch.no_grad():
        maxk = max(topk)
        batch_size = target.size(0)
        _, pred = output.topk(maxk, 1, True, True)
        pred = pred.t()
        correct = pred.eq(target.view(1, -1).expand_as(pred))
        res = []
        for k in topk:
            correct_k = correct[:k].reshape(-1).float().sum(0, keepdim=True)
            res.append(correct_k.mul_(100.0 / batch_size))
        return res


def main(prepare):
    images, labels = datasets.digits(train=True)
    x = torch.tensor(images[:256], dtype=torch.get_default_dtype())
    x = (x - x.mean()) / x.std(unbiased=False)
    y = torch.tensor(labels[:256].astype(np.int64))
    model = prepare(resnet(pretrained=False, zero_init_residual=True))
    model = torch.nn.DataParallel(model)
    if torch.cuda.is_available():
        model = model.cuda()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(
        model.parameters(), 0.1, momentum=0.9, weight_decay=1e-4, nesterov=True
    )
    scheduler = lr_scheduler.MultiStepLR(optimizer, milestones=[2, 3], gamma=0.1)
    best_acc1, losses = 0.0, []
    for epoch in range(4):
        model.train()
        end = time.time()
        for i in range(0, len(x), 32):
            output = model(x[i : i + 32])
            loss = criterion(output, y[i : i + 32])
            acc1, acc5 = accuracy(output, y[i : i + 32], topk=(1, 5))
            assert acc1[0] <= acc5[0]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        scheduler.step()
        is_best = acc1[0].item() > best_acc1
        best_acc1 = max(acc1[0].item(), best_acc1)
        state = {
            "epoch": epoch + 1,
            "state_dict": model.state_dict(),
            "best_acc1": best_acc1,
            "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
        }
        if is_best:
            torch.save(state, "model_best.pth.tar")
        print(f"Epoch {epoch} Time {time.time() - end:6.3f} Acc@1 {acc1.item():6.2f}")
    if os.path.isfile("model_best.pth.tar"):
        checkpoint = torch.load("model_best.pth.tar", map_location="cpu", weights_only=True)
        weights = {k.replace("module.", ""): v for k, v in checkpoint["state_dict"].items()}
        fresh = resnet()
        print(fresh.load_state_dict(weights))
        optimizer.load_state_dict(checkpoint["optimizer"])
    return losses
