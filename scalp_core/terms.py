"""Terms that occur in more than one place, worded once in both languages; lower case in English."""

import re

from scalp_core.errors import Text


def capitalized(term: Text) -> Text:
    """Return the term as it begins a label or a heading."""
    return Text(term.en[:1].upper() + term.en[1:], term.ko)


# ---- conditions and severities ----

CONDITION_NAMES = {
    "fine_scaling": Text("fine scaling", "미세각질"),
    "excess_sebum": Text("excess sebum", "피지과다"),
    "erythema": Text("interfollicular erythema", "모낭사이홍반"),
    "pustules": Text("follicular erythema / pustules", "모낭홍반/농포"),
    "dandruff": Text("dandruff", "비듬"),
    "hair_loss": Text("hair loss", "탈모"),
}
# As a finding in a sentence about one picture.
CONDITION_SHORT_NAMES = CONDITION_NAMES | {
    "erythema": Text("erythema", CONDITION_NAMES["erythema"].ko),
    "pustules": Text("pustules", CONDITION_NAMES["pustules"].ko),
}
SEVERITY_NAMES = (Text("normal", "양호"), Text("mild", "경증"), Text("moderate", "중등도"), Text("severe", "중증"))

# ---- data ----

DATASET = Text("dataset", "데이터셋")
PICTURE = Text("picture", "사진")
PICTURES = Text("pictures", "사진 수")
CAPTURES = Text("captures", "촬영 수")
SITES = Text("sites", "기관 수")
SITE = Text("site", "기관")
CAPTURE = Text("capture", "촬영")
CAMERA = Text("device", "기기")  # the microscope
REGION = Text("region", "부위")
# The four views of a head, by the suffix of the file name.
REGIONS = {
    "TH": Text("top of the head", "정수리"),
    "LH": Text("left side", "좌측 측두부"),
    "RH": Text("right side", "우측 측두부"),
    "BH": Text("back of the head", "후두부"),
}
CONDITION = Text("condition", "증상")
CONDITIONS = Text("conditions", "증상")
GRADE = Text("grade", "등급")
LABEL = Text("label", "라벨")
UNLABELLED = Text("no label", "라벨 없음")
UNKNOWN = Text("unknown", "알 수 없음")
NEAR_DUPLICATES = Text("near-duplicates", "거의 같은 사진")
SPLIT = Text("split", "분할")
SPLITS = {
    "train": Text("training", "학습"),
    "valid": Text("validation", "검증"),
    "calib": Text("calibration", "보정"),
    "test": Text("test", "테스트"),
}
SYNTHETIC = Text("synthetic", "합성")

# ---- models and runs ----

MODEL = Text("model", "모델")
RUN = Text("run", "실행")
ARCHITECTURE = Text("architecture", "모델 구조")
PARAMETERS = Text("parameters", "파라미터 수")
TRAINING_DATA = Text("training data", "학습 데이터")
SEED = Text("seed", "시드")
SEEDS = Text("seeds", "시드")
EPOCH = Text("epoch", "에폭")
FILE = Text("file", "파일")
LEARNING_CURVES = Text("learning curves", "학습 곡선")
TRAIN_LOSS = Text("training loss", "학습 손실")
VALID_LOSS = Text("validation loss", "검증 손실")

# ---- training settings ----

LOSS = Text("loss", "손실 함수")
CROSS_ENTROPY = Text("cross-entropy", "교차 엔트로피")
OVERSAMPLING = Text("oversampling", "오버샘플링")
CLASS_WEIGHTS = Text("class weights", "클래스 가중치")
WEIGHT_AVERAGING = Text("weight averaging (EMA)", "가중치 이동 평균 (EMA)")
MIXUP = Text("mixup", "믹스업")
WHITENING = Text("colour whitening", "색 화이트닝")

# ---- predictions ----

PREDICTION = Text("prediction", "예측")
PROBABILITY = Text("probability", "확률")
CONFIDENCE = Text("confidence", "확신도")
OPERATING_POINT = Text("operating point", "운영점")
DECISION_RULE = Text("decision rule", "판정 규칙")
MOST_PROBABLE = Text("most probable grade", "확률이 가장 높은 등급")
TAU = Text("logit adjustment τ", "로짓 조정 τ")
RECALL_FLOOR = Text("recall floor", "재현율 하한")
CURRENT = Text("current", "현재")
FITTED = Text("fitted", "최적값")
QUALITY_CHECK = Text("quality check", "품질 검사")
SCALP_TYPE = Text("scalp type", "두피 유형")
GRADE_SET = Text("{coverage} range", "{coverage} 범위")
GRADE_SET_NOTE = Text(
    "The range holds the label in {coverage} of pictures like those of the calibration split.",
    "보정 분할과 비슷한 사진이라면 {coverage}에서 라벨이 이 범위 안에 있어요.",
)
REFER = Text("For a person: risk of a far error.", "사람 판정 필요: 두 등급 이상 틀릴 위험")
REFERRED = Text("pictures for a person", "사람이 판정할 사진")
UNSEEN = Text("unseen far errors, share of all pictures", "사람이 보지 않는 큰 오류, 전체 사진 중 비율")
FAR_LIMIT = Text("limit of unseen far errors", "보지 않는 큰 오류의 한도")
LOCAL_GRADE_NOTE = Text(
    "The clearest place has the grade of the picture, others less, by their odds. Full colour is severe in all maps.",
    "가장 뚜렷한 위치가 사진의 등급을 갖고, 다른 위치는 오즈에 비례해 옅어져요. 가장 진한 색은 중증이에요.",
)
EVIDENCE_FOR = Text("for the grade", "등급을 뒷받침")
EVIDENCE_AGAINST = Text("against the grade", "등급에 반대")

# ---- evaluation ----

METRIC = Text("metric", "지표")
QWK = Text("QWK", "QWK")
QUADRATIC_WEIGHTED_KAPPA = Text("quadratic weighted kappa", "이차 가중 카파")
AMAE = Text("AMAE", "AMAE")
AVERAGE_MEAN_ABSOLUTE_ERROR = Text("average mean absolute error", "평균 절대 오차의 등급 평균")
WORST_GRADE_RECALL = Text("worst-grade recall", "등급별 최저 재현율")
WORST_RECALL = Text("worst recall", "최저 재현율")
ACCURACY = Text("accuracy", "정확도")
RECALL = Text("recall", "재현율")
VALID_QWK = Text("validation QWK", "검증 QWK")
TEST_QWK = Text("test QWK", "테스트 QWK")
INTERVAL = Text("95% CI", "95% 신뢰 구간")
VERDICT = Text("verdict", "판단")
REFERENCE = Text("reference", "기준값")
PROTOCOL = Text("protocol", "산출 방법")
REASON = Text("reason", "이유")
HIGHER_IS_BETTER = Text("higher is better", "클수록 좋음")
LOWER_IS_BETTER = Text("lower is better", "작을수록 좋음")
BETTER_TO_THE_RIGHT = Text("better →", "더 좋음 →")
BETTER_TO_THE_LEFT = Text("← better", "← 더 좋음")
DIFFERENCE = Text("{metric} difference from {reference}", "{metric}: {reference} 대비 차이")
SHARE_OF_ROW = Text("share of the row", "행 비율")
MILLISECONDS = Text("ms per picture, one core", "사진당 ms, 코어 1개")
P_HOLM = Text("p (Holm)", "p값 (Holm)")

# ---- sentences ----

RESEARCH_ONLY = Text(
    "Research only. Not a medical device: estimated grades are no diagnosis. For a skin or hair problem see a "
    "dermatologist.",
    "연구용이에요. 의료기기가 아니며, 추정 등급은 의학적 판단이 아니에요. 두피나 모발에 문제가 있으면 피부과 전문의와 "
    "상담하세요.",
)
RESEARCH_CHIP = Text("research only", "연구용")
RESEARCH_ONLY_SHORT = Text(
    "Research only: not a medical device, not for diagnosis.", "연구용: 의료기기가 아니며 진단에 쓸 수 없어요."
)
SYNTHETIC_DATA = Text(
    "SYNTHETIC data: a program rendered these pictures. Results say nothing about real scalps.",
    "합성(SYNTHETIC) 데이터: 프로그램이 렌더링한 사진이에요. 여기서 나온 결과는 실제 두피에 적용할 수 없어요.",
)
TEMPERED_DATA = Text(
    "Rare grades are more frequent in the pictures judged on than they really are: kappas, accuracies and shares are "
    "not those of the real imbalance.",
    "평가용 사진에는 드문 등급이 실제보다 더 자주 나와요. 카파, 정확도, 비율은 실제 불균형에서의 값과 달라요.",
)
SYNTHETIC_MODEL = Text(
    "Trained on SYNTHETIC data, or started from a model that was: these grades mean nothing for real scalps.",
    "합성(SYNTHETIC) 데이터로 학습했거나 그런 모델에서 시작한 모델: 실제 두피에 대한 등급은 의미가 없어요.",
)


_COUNTED = "pictures|images|captures|sites|files|labels|rows|runs|models|networks|seeds|epochs"
_LONE = re.compile(rf"(?<![\d.,])1( +(?:[a-z]+ )?)({_COUNTED})\b")


def singular(text: str) -> str:
    """Return an English text with what is counted in the singular behind a lone 1: “1 picture”, “1 known site”."""
    return _LONE.sub(lambda match: f"1{match[1]}{match[2][:-1]}", text)
