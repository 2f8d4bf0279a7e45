"""The first tutorial: a Dataset, the accelerator if there is one, train and test functions."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from tensorgrad import datasets

device = torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else "cpu"
print(f"Using {device} device, {torch.__version__}, CUDA {torch.version.cuda}")


class NeuralNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        self.linear_relu_stack = nn.Sequential(
            nn.Linear(8 * 8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
        )

    def forward(self, x):
        x = self.flatten(x)
        logits = self.linear_relu_stack(x)
        return logits


def train(dataloader, model, loss_fn, optimizer):
    size = len(dataloader.dataset)
    model.train()
    for batch, (X, y) in enumerate(dataloader):
        X, y = X.to(device), y.to(device)
        pred = model(X)
        loss = loss_fn(pred, y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if batch % 4 == 0:
            loss, current = loss.item(), (batch + 1) * len(X)
            print(f"loss: {loss:>7f}  [{current:>5d}/{size:>5d}]")


def test(dataloader, model, loss_fn):
    size = len(dataloader.dataset)
    num_batches = len(dataloader)
    model.eval()
    test_loss, correct = 0, 0
    with torch.no_grad():
        for X, y in dataloader:
            X, y = X.to(device), y.to(device)
            pred = model(X)
            test_loss += loss_fn(pred, y).item()
            correct += (pred.argmax(1) == y).type(torch.float).sum().item()
    test_loss /= num_batches
    correct /= size
    print(f"Test Error: \n Accuracy: {(100 * correct):>0.1f}%, Avg loss: {test_loss:>8f} \n")
    return test_loss


def main(prepare):
    dtype = torch.get_default_dtype()
    loaders = []
    for part in (True, False):
        images, labels = datasets.digits(train=part)
        tensors = torch.tensor(images[:320], dtype=dtype), torch.tensor(labels[:320])
        loaders.append(DataLoader(TensorDataset(*tensors), batch_size=32))
    model = prepare(NeuralNetwork()).to(device)
    print(model)
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    history = []
    for t in range(6):
        print(f"Epoch {t + 1}\n-------------------------------")
        train(loaders[0], model, loss_fn, optimizer)
        history.append(test(loaders[1], model, loss_fn))
    torch.save(model.state_dict(), "model.pth")
    model = NeuralNetwork().to(device)
    model.load_state_dict(torch.load("model.pth", weights_only=True))
    model.eval()
    x, y = loaders[1].dataset[0][0], loaders[1].dataset[0][1]
    with torch.no_grad():
        pred = model(x.to(device).unsqueeze(0))
        print(f'Predicted: "{pred[0].argmax(0)}", Actual: "{y}"')
    return history
