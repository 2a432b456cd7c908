"""gnc's backbones in PyTorch, with the parameter names of its checkpoints: torchvision's, but for what is for small images.

The functions take channel counts as they are; narrow() scales those of the literature as gnc's --width does."""

import math

import torch
from torch import nn
from torch.nn import functional

# gnc's operands are fp32 even where the arithmetic is double, so a double of PyTorch's must be the same number.
EPSILON, MOMENTUM = (float(torch.tensor(value, dtype=torch.float32)) for value in (1e-5, 0.1))


def narrow(channels, width):
    return max(1, math.floor(channels * width + 0.5))


def norm(channels, kind=nn.BatchNorm2d):
    return kind(channels, eps=EPSILON, momentum=MOMENTUM)


def conv(inputs, outputs, kernel=3, stride=1):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


def flat_average(images):
    return images.mean(dim=(2, 3))


class Mlp(nn.Module):
    def __init__(self, inputs, features, depth=3):
        super().__init__()
        layers = []
        for layer in range(depth):
            layers += [nn.Linear(features if layer else inputs, features), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x.flatten(1))


# Convolutions of each of the five stages of VGG: table 1 of its paper, configurations A, B, D, E.
VGG_STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


class Vgg(nn.Module):
    """head_features: of the two linear layers behind the convolutions, or None."""

    def __init__(self, width, has_norm, head_features=None, depth=11):
        super().__init__()
        layers, channels = [], 3
        for stage, convolutions in zip((64, 128, 256, 512, 512), VGG_STAGES[depth]):
            for _ in range(convolutions):
                outputs = narrow(stage, width)
                layers.append(nn.Conv2d(channels, outputs, 3, padding=1))
                layers += [norm(outputs)] if has_norm else []
                layers.append(nn.ReLU())
                channels = outputs
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        head = []
        for _ in range(2 if head_features else 0):
            head.append(nn.Linear(channels, head_features))
            head += [norm(head_features, nn.BatchNorm1d)] if has_norm else []
            head.append(nn.ReLU())
            channels = head_features
        self.classifier = nn.Sequential(*head)

    def forward(self, x):
        return self.classifier(flat_average(self.features(x)))


class OptionA(nn.Module):
    """The shortcut without parameters: every stride-th pixel, zero channels on both sides."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.stride, self.before = stride, (outputs - inputs) // 2
        self.behind = outputs - inputs - self.before

    def forward(self, x):
        return functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.before, self.behind))


class Block(nn.Module):
    def __init__(self, inputs, inner, stride, bottleneck, option_a):
        super().__init__()
        outputs = 4 * inner if bottleneck else inner
        plan = [(inputs, inner, 1, 1), (inner, inner, 3, stride), (inner, outputs, 1, 1)] if bottleneck else [
            (inputs, inner, 3, stride), (inner, outputs, 3, 1)]
        self.depth = len(plan)
        for index, convolution in enumerate(plan, 1):
            setattr(self, f"conv{index}", conv(*convolution))
            setattr(self, f"bn{index}", norm(convolution[1]))
        if stride == 1 and inputs == outputs:
            self.downsample = nn.Identity()
        elif option_a:
            self.downsample = OptionA(inputs, outputs, stride)
        else:
            self.downsample = nn.Sequential(conv(inputs, outputs, 1, stride), norm(outputs))

    def forward(self, x):
        y = x
        for index in range(1, self.depth + 1):
            y = getattr(self, f"bn{index}")(getattr(self, f"conv{index}")(y))
            if index < self.depth:
                y = torch.relu(y)
        return torch.relu(y + self.downsample(x))


class ResNet(nn.Module):
    def __init__(self, channels, blocks, bottleneck=False, option_a=False, imagenet_stem=False):
        super().__init__()
        self.conv1 = conv(3, channels[0], 7, 2) if imagenet_stem else conv(3, channels[0])
        self.bn1 = norm(channels[0])
        self.maxpool = nn.MaxPool2d(3, 2, 1) if imagenet_stem else nn.Identity()
        inputs, self.stages = channels[0], len(blocks)
        for stage, (inner, count) in enumerate(zip(channels, blocks)):
            layers = []
            for block in range(count):
                layers.append(Block(inputs, inner, 2 if stage and not block else 1, bottleneck, option_a))
                inputs = 4 * inner if bottleneck else inner
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))

    def forward(self, x):
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        for stage in range(self.stages):
            x = getattr(self, f"layer{stage + 1}")(x)
        return flat_average(x)


class DenseLayer(nn.Module):
    def __init__(self, inputs, growth, bottleneck):
        super().__init__()
        self.norm1 = norm(inputs)
        self.conv1 = conv(inputs, 4 * growth, 1) if bottleneck else conv(inputs, growth)
        if bottleneck:
            self.norm2, self.conv2 = norm(4 * growth), conv(4 * growth, growth)

    def forward(self, x):
        y = self.conv1(torch.relu(self.norm1(x)))
        if hasattr(self, "conv2"):
            y = self.conv2(torch.relu(self.norm2(y)))
        return torch.cat((x, y), 1)


class Transition(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.norm, self.conv = norm(inputs), conv(inputs, outputs, 1)

    def forward(self, x):
        return functional.avg_pool2d(self.conv(torch.relu(self.norm(x))), 2)


class DenseNet(nn.Module):
    def __init__(self, growth, layers, stem, bottleneck=True, compression=0.5):
        super().__init__()
        self.features = nn.Sequential()
        self.features.add_module("conv0", conv(3, stem))
        channels = stem
        for block, count in enumerate(layers, 1):
            if block > 1:
                outputs = math.floor(channels * compression)
                self.features.add_module(f"transition{block - 1}", Transition(channels, outputs))
                channels = outputs
            dense = nn.Sequential()
            for layer in range(1, count + 1):
                dense.add_module(f"denselayer{layer}", DenseLayer(channels, growth, bottleneck))
                channels += growth
            self.features.add_module(f"denseblock{block}", dense)
        self.features.add_module("norm5", norm(channels))

    def forward(self, x):
        return flat_average(torch.relu(self.features(x)))


class FrozenNetwork(nn.Module):
    """A backbone, a linear layer to feature_dim, and a classifier that nothing moves."""

    def __init__(self, backbone, features, feature_dim, num_classes):
        super().__init__()
        self.backbone = backbone
        self.projection = nn.Linear(features, feature_dim)
        self.register_buffer("frame", torch.zeros(num_classes, feature_dim))

    def forward(self, x):
        return self.projection(self.backbone(x)) @ self.frame.t()

    def named_tensors(self):
        """Parameters and buffers by the names that gnc gives them."""
        for name, tensor in list(self.named_parameters()) + list(self.named_buffers()):
            if not name.endswith("num_batches_tracked"):
                name = "classifier.weight" if name == "frame" else name.removeprefix("backbone.")
                yield name, tensor
