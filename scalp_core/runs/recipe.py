"""Recipes: everything that decides a training, with the limits of each field."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import PurePath
from typing import Any

from scalp_core.architectures import ARCHITECTURE_NAME, WEIGHTS_ENDING
from scalp_core.errors import ScalpError, Text
from scalp_core.labels import CONDITIONS, Condition


def _recipe_field(default: Any, en: str, ko: str, low: float | None = None, high: float | None = None) -> Any:
    """Declare a recipe field with its explanation (command line and sidebar show it) and its limits."""
    return field(default=default, metadata={"help": Text(en, ko), "low": low, "high": high})


# Fields that take one of a few words.
CHOICES = {
    "learns": ("everything", "head"),
    "loss": ("cross_entropy", "smoothed", "triangular", "beta", "distance_weighted"),
    "sampling": ("none", "square_root", "full"),
    "grade_weights": ("none", "square_root", "full"),
    "colours": ("auto", "plain", "whitened"),
    "augmentation": ("auto", "standard", "randomised", "none"),
    "precision": ("auto", "full", "bfloat16"),
}


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training. The flags of the command line and the sidebar's form are these fields."""

    architecture: str = _recipe_field(
        "efficientnet_b0",
        "a variant of the five families, or any timm name",
        "다섯 계열의 모델 구조 또는 timm 이름",
    )
    data: str = _recipe_field("demo", "name of the dataset", "데이터셋 이름")
    conditions: tuple[Condition, ...] = _recipe_field(
        CONDITIONS,
        "conditions to grade, any of the six; several share a backbone",
        "추정할 증상: 여섯 가지 중 원하는 만큼, 여럿이면 백본을 공유",
    )
    epochs: int = _recipe_field(20, "epochs over the training split", "학습 분할 반복 횟수", 1, 1000)
    image_size: int = _recipe_field(
        224,
        "side of the square model input in pixels, a multiple of 32",
        "정사각형 모델 입력의 한 변, 픽셀, 32의 배수",
        64,
        1024,
    )
    batch_size: int = _recipe_field(32, "pictures per training step", "학습 단계당 사진 수", 2, 1024)
    lr: float = _recipe_field(3e-4, "peak learning rate of AdamW", "AdamW 최대 학습률", 1e-7, 1.0)
    weight_decay: float = _recipe_field(0.05, "weight decay of AdamW", "AdamW 가중치 감쇠", 0.0, 1.0)
    warmup_epochs: float = _recipe_field(
        1.0, "epochs of linear warm-up before cosine decay", "코사인 감쇠 전 워밍업 에폭 수", 0.0, 100.0
    )
    augmentation: str = _recipe_field(
        "auto",
        "“standard” (flips, rotations, crops, colour); “randomised”: domain randomisation, also of lens, lamp and "
        "glints; “none”; “auto”: randomised for synthetic pictures, standard for others",
        "“standard”(뒤집기·회전·자르기·색), “randomised”: 도메인 무작위화(다른 현미경의 렌즈·조명·반사광까지), "
        "“none”, “auto”: 합성 사진이면 randomised, 아니면 standard",
    )
    learns: str = _recipe_field(
        "everything",
        "layers to train: “everything”, or only the “head” on features computed once (seconds)",
        "학습할 층: “everything”(전체) 또는 한 번 계산한 특징 위의 “head”(헤드만, 몇 초)",
    )
    frozen_epochs: int = _recipe_field(
        0,
        "first epochs that train only the head; protects pretrained weights",
        "헤드만 학습하는 처음 에폭 수. 사전 학습 가중치를 보호",
        0,
        1000,
    )
    layer_decay: float = _recipe_field(
        1.0,
        "learning rate of each layer relative to the next; below 1 protects early pretrained layers",
        "다음 층 대비 앞 층의 학습률 비율. 1보다 작으면 사전 학습된 앞 층이 덜 바뀜",
        0.1,
        1.0,
    )
    loss: str = _recipe_field(
        "triangular",
        "“cross_entropy”; “smoothed” (label smoothing); soft labels over neighbouring grades, “triangular” or “beta”; "
        "“distance_weighted”: far errors cost more (CDW-CE)",
        "손실 함수: “cross_entropy”, “smoothed”(라벨 스무딩), 이웃 등급에 나눠 주는 소프트 라벨 “triangular”·“beta”, "
        "먼 오류에 더 큰 벌점을 주는 “distance_weighted”(CDW-CE)",
    )
    sampling: str = _recipe_field(
        "square_root",
        "oversampling of rare grades: “none”, “square_root” or “full” balance",
        "드문 등급의 오버샘플링: “none”(없음), “square_root”(제곱근), “full”(완전 균형)",
    )
    grade_weights: str = _recipe_field(
        "none",
        "class weights of rare grades in the loss: “none”, “square_root” or “full” balance",
        "드문 등급의 손실 클래스 가중치: “none”, “square_root”, “full”",
    )
    condition_weights: tuple[float, ...] = _recipe_field(
        (),
        "loss weight of each condition of a shared model, in order; empty: equal",
        "공유 모델의 손실에서 증상별 가중치(순서대로). 비우면 모두 같음",
        0.0,
        100.0,
    )
    mask_weight: float = _recipe_field(
        0.0,
        "weight of a loss that makes evidence point at the cues; only for a synthetic dataset, which knows where they "
        "are; 0 is off",
        "근거가 증상 위치를 가리키게 하는 손실의 가중치. 위치를 아는 합성 데이터셋에만 쓸 수 있음. 0이면 사용하지 않음",
        0.0,
        10.0,
    )
    teacher: str = _recipe_field(
        "",
        "“run:NAME”, a finished run whose evidence the network learns beside the labels (distillation); empty: none",
        "“run:이름”: 라벨과 함께 그 근거까지 배울 완료된 실행(증류). 비우면 없음",
    )
    teacher_weight: float = _recipe_field(
        3.0,
        "weight of the teacher's evidence in the loss",
        "손실에서 교사 모델의 근거가 갖는 가중치",
        0.0,
        100.0,
    )
    mixup: float = _recipe_field(
        0.0,
        "mixup: pairs of pictures are blended with Beta(mixup, mixup); 0 is off",
        "믹스업: 사진 두 장을 Beta(mixup, mixup) 비율로 섞음. 0이면 사용하지 않음",
        0.0,
        10.0,
    )
    ema: float = _recipe_field(
        0.99,
        "decay per step of the moving average of the weights (EMA), which is validated and kept; 0 is off",
        "가중치 이동 평균(EMA)의 단계별 감쇠. 평균한 가중치를 검증하고 저장함. 0이면 사용하지 않음",
        0.0,
        0.9999,
    )
    patience: int = _recipe_field(
        8,
        "early stopping: epochs without a better validation QWK; 0 is off",
        "조기 종료: 검증 QWK가 나아지지 않는 에폭 수. 0이면 끝까지",
        0,
        1000,
    )
    recall_floor: float = _recipe_field(
        0.2,
        "minimum worst-grade recall of the decision rule on the calibration split",
        "판정 규칙이 보정 분할에서 지켜야 할 등급별 최저 재현율",
        0.0,
        1.0,
    )
    colours: str = _recipe_field(
        "auto",
        "“whitened”: colour whitening, so that faint redness counts as much as lightness; “plain”: per channel, as "
        "pretrained weights need; “auto”: whitened for random weights",
        "“whitened”: 색 화이트닝, 옅은 붉은색도 명암만큼 반영. “plain”: 채널별 정규화(사전 학습 가중치용). “auto”: "
        "무작위 가중치일 때 whitened",
    )
    precision: str = _recipe_field(
        "auto",
        "“auto” (bfloat16 on GPUs that support it), “full” or “bfloat16” (up to twice as fast on CPUs with native "
        "support, slower on others)",
        "학습 단계의 연산 정밀도: “auto”(지원하는 GPU에서 bfloat16), “full” 또는 “bfloat16”(전용 명령어가 있는 CPU에서 "
        "최대 두 배 빠르고, 없으면 느림)",
    )
    weights: str = _recipe_field(
        "pretrained",
        "initial weights: “pretrained” (downloaded), “packaged” (from an installed package), “none” (random), a "
        "safetensors file of the backbone, or “run:NAME”, a finished run",
        "초기 가중치: “pretrained”(내려받기), “packaged”(설치된 패키지), “none”(무작위), 백본의 safetensors 파일, "
        "또는 완료된 실행 “run:이름”",
    )
    seed: int = _recipe_field(0, "random seed", "난수 시드", 0, 2**31 - 1)

    @property
    def without_folder(self) -> "Recipe":
        """The recipe as others may read it: of a file of weights its name alone, as its folder may name a person."""
        if not self.weights.endswith(WEIGHTS_ENDING):
            return self
        return replace(self, weights=PurePath(self.weights).name)

    def check(self) -> None:
        """Check every field by itself; `runs.store.check_recipe` also looks at the dataset and the weights.

        Raises:
            ScalpError: `bad_recipe`, at the first field that cannot be trained with.
        """
        if not ARCHITECTURE_NAME.fullmatch(self.architecture):
            raise bad_field("architecture", self.architecture, *_ARCHITECTURE_NAMES)
        if not self.conditions or len(set(self.conditions)) != len(self.conditions):
            raise bad_field("conditions", self.conditions, *_SOME_CONDITIONS)
        for field_ in fields(self):
            value, low, high = getattr(self, field_.name), field_.metadata["low"], field_.metadata["high"]
            if isinstance(field_.default, int) and not isinstance(value, int):
                raise bad_field(field_.name, value, "a whole number", "정수")
            # A comparison that NaN cannot pass.
            numbers = value if isinstance(value, tuple) else (value,)
            if low is not None and not all(low <= number <= high for number in numbers):
                raise bad_field(field_.name, value, f"{low} to {high}", f"{low}–{high}")
        if self.condition_weights and len(self.condition_weights) != len(self.conditions):
            raise bad_field("condition_weights", self.condition_weights, *_WEIGHT_EACH)
        if self.condition_weights and not any(self.condition_weights):
            raise bad_field("condition_weights", self.condition_weights, *_WEIGHT_SOME)
        if self.image_size % 32:
            raise bad_field("image_size", self.image_size, "divisible by 32", "32의 배수")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                listed = ", ".join(f"“{choice}”" for choice in choices)
                raise bad_field(name, getattr(self, name), f"one of {listed}", listed)
        if self.learns == "head" and self.weights == "none":
            raise bad_field("learns", self.learns, *_NOTHING_LEARNED)
        if self.learns == "head" and self.mask_weight:
            raise bad_field("mask_weight", self.mask_weight, *_NO_PLACES)
        if self.learns == "head" and self.teacher:
            raise bad_field("teacher", self.teacher, *_NOT_TAUGHT)

    def augmentation_of(self, synthetic: bool) -> str:
        """Return the augmentation, of `CHOICES` without “auto”, that a dataset is trained with.

        Args:
            synthetic: whether the dataset holds rendered pictures.
        """
        if self.augmentation != "auto":
            return self.augmentation
        return "randomised" if synthetic else "standard"


_ARCHITECTURE_NAMES = Text("a name such as efficientnet_b0 or a timm name", "efficientnet_b0 같은 이름 또는 timm 이름")
_SOME_CONDITIONS = Text("one or more of the six, each once", "여섯 증상 가운데 하나 이상, 한 번씩")
_WEIGHT_EACH = Text("empty or one number a condition", "비우거나 증상마다 숫자 하나")
_WEIGHT_SOME = Text("above 0 for some condition", "하나 이상의 증상에서 0보다 큰 값")
_NOTHING_LEARNED = Text("“everything” when weights start random", "무작위 가중치로 시작할 때는 “everything”")
_NO_PLACES = Text("0 when the head learns alone: it sees no places", "마지막 층만 학습하면 위치를 볼 수 없으므로 0")
_NOT_TAUGHT = Text(
    "empty when the head learns alone: it sees no places", "마지막 층만 학습하면 위치를 볼 수 없으므로 빈 값"
)


def bad_field(name: str, value: object, en: str, ko: str) -> ScalpError:
    """Return the error about a field with a value that it must not have."""
    return ScalpError(
        "bad_recipe",
        f"The recipe's {name} is “{str(value)[:80]}”; it must be {en}.",
        f"학습 설정 {name}의 값 “{str(value)[:80]}”은(는) 사용할 수 없어요. 가능한 값: {ko}.",
    )


# What a recipe means that was written before a field had its present default.
_EARLIER_DEFAULTS = {"augmentation": "standard"}


def recipe_from(values: Mapping[str, Any]) -> Recipe:
    """Return the recipe of which `asdict` and JSON made these values."""
    tuples = {
        "conditions": tuple(Condition(key) for key in values["conditions"]),
        "condition_weights": tuple(float(weight) for weight in values.get("condition_weights", ())),
    }
    return Recipe(**{**_EARLIER_DEFAULTS, **values, **tuples})
