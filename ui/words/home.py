"""Texts of the home page."""

from scalp_core import terms
from scalp_core.errors import Text
from scalp_core.terms import capitalized

WORDS = {
    "home_intro": Text(
        "Explore microscope pictures of the scalp, compare five model families on six conditions graded 0 to 3, grade "
        "your own pictures, and retrain.",
        "두피 현미경 사진을 살펴보고, 여섯 증상의 0–3등급에 대해 다섯 계열의 모델을 비교하고, 내 사진의 등급을 추정하고, 재학습할 수 있어요.",
    ),
    "home_start_dataset": Text("Explore pictures and labels", "사진과 라벨 보기"),
    "home_start_compare": Text("Compare models", "모델 비교하기"),
    "home_start_diagnose": Text("Grade a picture", "사진 등급 추정하기"),
    "home_start_runs": Text("Follow training", "학습 진행 보기"),
    "home_answers": Text("Models in use", "사용 중인 모델"),
    "learned_from": capitalized(terms.TRAINING_DATA),
    "home_answers_note": Text(
        "Selected on the validation split: best quadratic weighted kappa (QWK), and among practical equals (within "
        "0.02) the smallest model. QWK: 1 is perfect, 0 is chance.",
        "검증 분할의 이차 가중 카파(QWK)가 가장 높은 모델이에요. 차이가 0.02 이내면 가장 작은 모델을 골라요. QWK는 완전 일치가 1, 우연 "
        "수준이 0이에요.",
    ),
    "home_floor": Text("The floor of this choice: {floor}.", "자동 선택의 최소 기준: {floor}."),
    "home_training": Text("In training", "학습 중"),
    "home_idle": Text("No run is training.", "진행 중인 학습이 없어요."),
    "home_api": Text("REST interface: [/api/docs](/api/docs)", "REST 인터페이스: [/api/docs](/api/docs)"),
}
