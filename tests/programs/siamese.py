"""A siamese net: contrastive loss on pairs, then a triplet margin loss on hard negatives."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.sampler import SubsetRandomSampler

from tensorgrad import datasets


class SiameseDataset(Dataset):
    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def __getitem__(self, index):
        other = (index * 7 + 3) % len(self.images)
        if index % 2:
            other = np.flatnonzero(self.labels == self.labels[index])[0]
        different = int(self.labels[index] != self.labels[other])
        return (
            self.images[index],
            self.images[other],
            torch.from_numpy(np.array([different], dtype=np.float32)),
        )

    def __len__(self):
        return len(self.images)


class SiameseNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.cnn1 = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(1, 4, kernel_size=3),
            nn.ReLU(inplace=True),
            nn.BatchNorm2d(4),
        )
        self.fc1 = nn.Sequential(nn.Linear(4 * 8 * 8, 32), nn.ReLU(inplace=True), nn.Linear(32, 4))

    def forward_once(self, x):
        output = self.cnn1(x)
        output = output.view(output.size()[0], -1)
        return self.fc1(output)

    def forward(self, input1, input2):
        return self.forward_once(input1), self.forward_once(input2)


class ContrastiveLoss(torch.nn.Module):
    def __init__(self, margin=2.0):
        super().__init__()
        self.margin = margin

    def forward(self, output1, output2, label):
        euclidean_distance = F.pairwise_distance(output1, output2, keepdim=True)
        return torch.mean(
            (1 - label) * torch.pow(euclidean_distance, 2)
            + label * torch.pow(torch.clamp(self.margin - euclidean_distance, min=0.0), 2)
        )


def main(prepare):
    images, labels = datasets.digits(train=True)
    dtype = torch.get_default_dtype()
    images = torch.from_numpy(images[:128]).to(dtype)
    dataset = SiameseDataset(images, labels[:128])
    assert len(DataLoader(dataset, sampler=SubsetRandomSampler(range(32)), batch_size=8)) == 4
    loader = DataLoader(dataset, shuffle=False, batch_size=16)
    net = prepare(SiameseNetwork())
    criterion = ContrastiveLoss()
    optimizer = optim.RMSprop(net.parameters(), lr=0.002, alpha=0.99, eps=1e-8, momentum=0.5)
    history = []
    for _ in range(6):
        total = 0.0
        for img0, img1, label in loader:
            optimizer.zero_grad()
            output1, output2 = net(img0, img1)
            loss_contrastive = criterion(output1, output2, label.to(dtype))
            loss_contrastive.backward()
            optimizer.step()
            total += loss_contrastive.item()
        history.append(total)
    triplet = nn.TripletMarginLoss(margin=1.0, p=2)
    labels = torch.as_tensor(labels[:128])
    for _ in range(3):
        embedded = F.normalize(net.forward_once(images), p=2, dim=1)
        distance = torch.cdist(embedded, embedded)
        same = labels.unsqueeze(0) == labels.unsqueeze(1)
        hardest = distance.masked_fill(same, float("inf")).argmin(dim=1)
        easiest = (distance + ~same * 1e6 + torch.eye(128) * 1e6).min(dim=1)[1]
        loss = triplet(embedded, embedded[easiest], embedded[hardest])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        assert not torch.isnan(loss)
    return history
