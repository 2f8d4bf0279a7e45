"""Proximal policy optimisation of a point that is steered to the middle: a Gaussian policy with a
value head, generalised advantages, clipped ratios over minibatches, orthogonal starts.
"""

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from torch.distributions.normal import Normal


class Field:
    """A point on a plane; the action is a push, and the cost is the distance from the middle."""

    def reset(self):
        self.place = np.random.uniform(-1, 1, 2)
        self.steps = 0
        return self.place.astype(np.float32)

    def step(self, action):
        self.place = np.clip(self.place + 0.3 * np.clip(action, -1, 1), -2, 2)
        self.steps += 1
        done = self.steps == 16
        return self.place.astype(np.float32), -np.abs(self.place).sum(), done, {}


def layer_init(layer, std=2**0.5, bias_const=0.0):
    torch.nn.init.orthogonal_(layer.weight, std)
    torch.nn.init.constant_(layer.bias, bias_const)
    return layer


class Agent(nn.Module):
    def __init__(self, observations, actions):
        super().__init__()
        self.critic = nn.Sequential(
            layer_init(nn.Linear(np.array((observations,)).prod(), 32)),
            nn.Tanh(),
            layer_init(nn.Linear(32, 1), std=1.0),
        )
        self.actor_mean = nn.Sequential(
            layer_init(nn.Linear(np.array((observations,)).prod(), 32)),
            nn.Tanh(),
            layer_init(nn.Linear(32, np.prod((actions,))), std=0.01),
        )
        self.actor_logstd = nn.Parameter(torch.zeros(1, np.prod((actions,))))

    def get_value(self, x):
        return self.critic(x)

    def get_action_and_value(self, x, action=None):
        action_mean = self.actor_mean(x)
        action_std = torch.exp(self.actor_logstd.expand_as(action_mean))
        probs = Normal(action_mean, action_std)
        if action is None:
            noise = torch.as_tensor(np.random.randn(*action_mean.shape)).to(action_mean)
            action = action_mean + action_std * noise
        return action, probs.log_prob(action).sum(1), probs.entropy().sum(1), self.critic(x)


def main(prepare):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.get_default_dtype()
    env, num_steps, minibatch = Field(), 64, 16
    gamma, gae_lambda, clip_coef, ent_coef, vf_coef = 0.95, 0.95, 0.2, 0.001, 0.5
    agent = prepare(Agent(2, 2)).to(device)
    optimizer = optim.Adam(agent.parameters(), lr=4e-3, eps=1e-5)
    obs = torch.zeros((num_steps, 2)).to(device)
    actions = torch.zeros((num_steps, 2)).to(device)
    logprobs = torch.zeros(num_steps).to(device)
    rewards = torch.zeros(num_steps).to(device)
    dones = torch.zeros(num_steps).to(device)
    values = torch.zeros(num_steps).to(device)
    next_obs = torch.Tensor(env.reset()).to(device, dtype)
    next_done = torch.zeros(1).to(device)
    num_updates, costs = 15, []
    for update in range(1, num_updates + 1):
        frac = 1.0 - (update - 1.0) / num_updates
        optimizer.param_groups[0]["lr"] = frac * 4e-3
        for step in range(num_steps):
            obs[step] = next_obs
            dones[step] = next_done
            with torch.no_grad():
                action, logprob, _, value = agent.get_action_and_value(next_obs.unsqueeze(0))
                values[step] = value.flatten()
            actions[step] = action
            logprobs[step] = logprob
            place, reward, done, _ = env.step(action.cpu().numpy()[0])
            rewards[step] = torch.tensor(reward).to(device).view(-1)
            next_obs = torch.Tensor(env.reset() if done else place).to(device, dtype)
            next_done = torch.Tensor([done]).to(device, dtype)
        with torch.no_grad():
            next_value = agent.get_value(next_obs).reshape(1, -1)
            advantages = torch.zeros_like(rewards).to(device)
            lastgaelam = 0
            for t in reversed(range(num_steps)):
                if t == num_steps - 1:
                    nextnonterminal = 1.0 - next_done
                    nextvalues = next_value
                else:
                    nextnonterminal = 1.0 - dones[t + 1]
                    nextvalues = values[t + 1]
                delta = rewards[t] + gamma * nextvalues * nextnonterminal - values[t]
                advantages[t] = lastgaelam = (
                    delta + gamma * gae_lambda * nextnonterminal * lastgaelam
                )
            returns = advantages + values
        b_inds = np.arange(num_steps)
        clipfracs = []
        for _ in range(4):
            np.random.shuffle(b_inds)
            for start in range(0, num_steps, minibatch):
                mb_inds = b_inds[start : start + minibatch]
                _, newlogprob, entropy, newvalue = agent.get_action_and_value(
                    obs[mb_inds], actions[mb_inds]
                )
                logratio = newlogprob - logprobs[mb_inds]
                ratio = logratio.exp()
                with torch.no_grad():
                    clipfracs += [((ratio - 1.0).abs() > clip_coef).float().mean().item()]
                mb_advantages = advantages[mb_inds]
                mb_advantages = (mb_advantages - mb_advantages.mean()) / (
                    mb_advantages.std() + 1e-8
                )
                pg_loss1 = -mb_advantages * ratio
                pg_loss2 = -mb_advantages * torch.clamp(ratio, 1 - clip_coef, 1 + clip_coef)
                pg_loss = torch.max(pg_loss1, pg_loss2).mean()
                newvalue = newvalue.view(-1)
                v_loss_unclipped = (newvalue - returns[mb_inds]) ** 2
                v_clipped = values[mb_inds] + torch.clamp(
                    newvalue - values[mb_inds], -clip_coef, clip_coef
                )
                v_loss_max = torch.max(v_loss_unclipped, (v_clipped - returns[mb_inds]) ** 2)
                loss = pg_loss - ent_coef * entropy.mean() + v_loss_max.mean() * 0.5 * vf_coef
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
                optimizer.step()
        y_pred, y_true = values.cpu().numpy(), returns.cpu().numpy()
        explained_var = (
            np.nan if np.var(y_true) == 0 else 1 - np.var(y_true - y_pred) / np.var(y_true)
        )
        assert np.isfinite([explained_var, *clipfracs]).all()
        costs.append(-rewards.mean().item())
    return costs
