"""The net of a first course: two convolutions and two linear layers on handwritten digits."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset

from tensorgrad import datasets

device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 6, 3, padding=1)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 12, 3)
        self.fc1 = nn.Linear(12 * 1 * 1, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.view(-1, self.num_flat_features(x))
        x = F.relu(self.fc1(x))
        return self.fc2(x)

    def num_flat_features(self, x):
        size = x.size()[1:]
        num_features = 1
        for s in size:
            num_features *= s
        return num_features


def loader(train, dtype, shuffle=False):
    images, labels = datasets.digits(train=train)
    x = torch.from_numpy(images[:512]).to(dtype).reshape(-1, 1, 8, 8)
    y = torch.from_numpy(labels[:512]).long()
    return DataLoader(TensorDataset(x, y), batch_size=32, shuffle=shuffle, num_workers=0)


def main(prepare):
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    trainloader = loader(True, torch.get_default_dtype())
    testloader = loader(False, torch.get_default_dtype())
    net = prepare(Net()).to(device)
    print(net)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    history = []
    for epoch in range(8):
        running_loss = 0.0
        for i, data in enumerate(trainloader, 0):
            inputs, labels = data[0].to(device), data[1].to(device)
            optimizer.zero_grad()
            outputs = net(inputs)
            loss = criterion(outputs, labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
            if i % 4 == 3:
                print("[%d, %5d] loss: %.3f" % (epoch + 1, i + 1, running_loss / 4))
                history.append(running_loss / 4)
                running_loss = 0.0

    correct = 0
    total = 0
    with torch.no_grad():
        for images, labels in testloader:
            outputs = net(images.to(device))
            _, predicted = torch.max(outputs.data, 1)
            total += labels.size(0)
            correct += (predicted == labels.to(device)).sum().item()
    print(f"Accuracy: {100 * correct // total} %")
    return [*history, 1 - correct / total]
