"""Texts of the retraining panel in the sidebar, and the names of a recipe's settings."""

from scalp_core import terms
from scalp_core.errors import Text
from scalp_core.terms import capitalized

WORDS = {
    "retrain_waits": Text(
        "Possible as soon as the demonstration pictures are drawn.", "데모 사진을 다 그리면 재학습할 수 있어요."
    ),
    "retrain": Text("Retrain", "재학습"),
    "retrain_six": Text("all six", "여섯 가지 모두"),
    "retrain_advanced": Text("Advanced", "고급 설정"),
    "retrain_start": Text("Start training", "학습 시작"),
    "retrain_started": Text("Created run {run}.", "{run} 실행을 만들었어요."),
    "retrain_already": Text("Already in progress: run {run}.", "이미 진행 중인 학습이에요: {run} 실행."),
    "retrain_more": Text("{count} more queued", "{count}개 더 대기 중"),
    "retrain_last": Text("Last: {run}: {state}", "최근: {run}: {state}"),
    # estimate
    "estimate_unknown": Text(
        "Duration not measured on this machine yet.", "이 컴퓨터에서 학습 시간을 아직 측정하지 않았어요."
    ),
    "estimate_measure": Text("Measure (about 20 s)", "측정하기 (약 20초)"),
    "estimate_measuring": Text("Measuring …", "측정하는 중 …"),
    "estimate_here": Text("{time} on this machine", "이 컴퓨터에서 {time}"),
    # settings
    "epochs": Text("Epochs", "에폭 수"),
    "image_size": Text("Input size, pixels", "입력 크기, 픽셀"),
    "batch_size": Text("Batch size", "배치 크기"),
    "lr": Text("Learning rate", "학습률"),
    "weight_decay": Text("Weight decay", "가중치 감쇠"),
    "warmup_epochs": Text("Warm-up epochs", "워밍업 에폭"),
    "patience": Text("Early-stopping patience, epochs", "조기 종료 대기 에폭"),
    "augmentation": Text("Augmentation", "데이터 증강"),
    "choice_augmentation_standard": Text("standard", "표준"),
    "choice_augmentation_none": Text("none", "없음"),
    "precision": Text("Precision", "연산 정밀도"),
    "choice_precision_auto": Text("automatic", "자동"),
    "choice_precision_full": Text("full (float32)", "단정밀도 (float32)"),
    "choice_precision_bfloat16": Text("bfloat16", "반정밀도 (bfloat16)"),
    "retrain_start_from": Text("Initial weights", "초기 가중치"),
    "retrain_pretrained": Text("pretrained", "사전 학습 가중치"),
    "retrain_random": Text("random", "무작위 가중치"),
    "retrain_of_run": Text("run {run}", "{run} 실행"),
    "retrain_file": Text("Weights file (safetensors)", "가중치 파일 (safetensors)"),
    "retrain_file_help": Text(
        "Absolute path on the server to backbone weights; overrides the initial weights.",
        "백본 가중치 파일의 서버 절대 경로. 입력하면 초기 가중치 대신 사용해요.",
    ),
    "retrain_other": Text("Other timm architecture", "다른 timm 모델 구조"),
    "learns": Text("Trained layers", "학습할 층"),
    "choice_learns_everything": Text("all", "전체"),
    "choice_learns_head": Text("head only (fast)", "헤드만 (빠름)"),
    "frozen_epochs": Text("Head-only epochs", "헤드만 학습하는 에폭"),
    "layer_decay": Text("Layer-wise learning-rate decay", "층별 학습률 감쇠"),
    "loss": capitalized(terms.LOSS),
    "choice_loss_cross_entropy": terms.CROSS_ENTROPY,
    "choice_loss_smoothed": Text("label smoothing", "라벨 스무딩"),
    "choice_loss_triangular": Text("soft labels, triangular", "소프트 라벨 (삼각)"),
    "choice_loss_beta": Text("soft labels, beta", "소프트 라벨 (베타)"),
    "choice_loss_distance_weighted": Text("distance-weighted (CDW-CE)", "거리 가중 (CDW-CE)"),
    "sampling": capitalized(terms.OVERSAMPLING),
    "choice_sampling_none": Text("none", "없음"),
    "choice_sampling_square_root": Text("square root", "제곱근"),
    "choice_sampling_full": Text("balanced", "완전 균형"),
    "sampled": Text("Grades as sampled", "등급별 표본 비율"),
    "sampled_note": Text(
        "Share of each grade in the training split, %: labels → sampled.",
        "학습 분할의 등급별 비율(%): 라벨 → 표본.",
    ),
    "sampled_same": Text(
        "Share of each grade in the training split, %; no oversampling.",
        "학습 분할의 등급별 비율(%). 오버샘플링하지 않아요.",
    ),
    "grade_weights": capitalized(terms.CLASS_WEIGHTS),
    "choice_grade_weights_none": Text("none", "없음"),
    "choice_grade_weights_square_root": Text("square root", "제곱근"),
    "choice_grade_weights_full": Text("balanced", "완전 균형"),
    "condition_weights": Text("Condition weights", "증상별 가중치"),
    "retrain_weights_help": Text(
        "A number for each condition in order, separated by commas; empty: equal.",
        "증상 순서대로 쉼표로 구분한 숫자. 비우면 모두 같아요.",
    ),
    "mixup": capitalized(terms.MIXUP),
    "ema": capitalized(terms.WEIGHT_AVERAGING),
    "colours": Text("Colour normalization", "색 정규화"),
    "choice_colours_auto": Text("automatic", "자동"),
    "choice_colours_plain": Text("per channel", "채널별 정규화"),
    "choice_colours_whitened": Text("whitening", "화이트닝"),
    "empty_setting": Text("none", "없음"),
}
