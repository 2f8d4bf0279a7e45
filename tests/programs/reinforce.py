"""REINFORCE on a corridor: the policy's actions are drawn from a Categorical."""

from collections import deque

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.distributions import Categorical


class Corridor:
    """Five cells; the goal is the right end, and every step costs."""

    def reset(self):
        self.place, self.steps = 1, 0
        return np.eye(5, dtype=np.float32)[self.place]

    def step(self, action):
        self.place = max(0, self.place + (1 if action == 1 else -1))
        self.steps += 1
        done = self.place == 4 or self.steps == 30
        return np.eye(5, dtype=np.float32)[self.place], -1.0, done, {}


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(5, 16)
        self.dropout = nn.Dropout(p=0.1)
        self.affine2 = nn.Linear(16, 2)
        self.saved_log_probs = []
        self.rewards = []

    def forward(self, x):
        x = self.affine1(x)
        x = self.dropout(x)
        x = F.relu(x)
        action_scores = self.affine2(x)
        return F.softmax(action_scores, dim=1)


eps = np.finfo(np.float32).eps.item()


def select_action(policy, state):
    state = torch.from_numpy(state).float().unsqueeze(0)
    probs = policy(state)
    m = Categorical(probs)
    action = m.sample()
    policy.saved_log_probs.append(m.log_prob(action))
    return action.item()


def finish_episode(policy, optimizer):
    R = 0
    policy_loss = []
    returns = deque()
    for r in policy.rewards[::-1]:
        R = r + 0.95 * R
        returns.appendleft(R)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + eps)
    for log_prob, R in zip(policy.saved_log_probs, returns):
        policy_loss.append(-log_prob * R)
    optimizer.zero_grad()
    policy_loss = torch.cat(policy_loss).sum()
    policy_loss.backward()
    optimizer.step()
    del policy.rewards[:]
    del policy.saved_log_probs[:]


def main(prepare):
    torch.manual_seed(543)
    env = Corridor()
    policy = prepare(Policy())
    optimizer = optim.Adam(policy.parameters(), lr=2e-2)
    lengths = []
    for _ in range(60):
        state, done = env.reset(), False
        while not done:
            action = select_action(policy, state)
            state, reward, done, _ = env.step(action)
            policy.rewards.append(reward)
        lengths.append(float(env.steps))
        finish_episode(policy, optimizer)
    return lengths
