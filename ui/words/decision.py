"""Texts about operating points: the view of the comparison page that tries them, and the panel of a run."""

from scalp_core import terms
from scalp_core.errors import Text
from scalp_core.terms import capitalized

WORDS = {
    # the view that tries one
    "lab_note": Text(
        "Nothing is stored until you save. Choose on calibration, check on validation; the test split stays untouched.",
        "확률로 등급을 정하는 방법을 시험해 보세요. 저장하기 전에는 아무것도 바뀌지 않아요. 보정 분할에서 고르고 검증 분할에서 확인하세요. 테스트 "
        "분할은 쓰지 않아요.",
    ),
    "lab_side": capitalized(terms.MODEL),
    "lab_seed": Text("seed {seed} · {run}", "시드 {seed} · {run}"),
    "lab_unlabelled": Text("No labels for this condition in this split.", "이 분할에는 이 증상의 라벨이 없어요."),
    "lab_images": Text(
        "{images:,} labelled pictures ({part}), {rarest:,} of the rarest grade.",
        "{part} 분할의 라벨 있는 사진 {images:,}장, 가장 드문 등급 {rarest:,}장. 작은 차이는 우연일 수 있어요.",
    ),
    "point_rule": capitalized(terms.DECISION_RULE),
    "rule_argmax": Text("most probable", "최대 확률"),
    "rule_median": Text("median", "중앙값"),
    "rule_expected_cost": Text("minimum expected cost", "최소 기대 비용"),
    "point_tau": capitalized(terms.TAU),
    "lab_tau_help": Text(
        "Divides probabilities by (grade frequency)^τ: higher values predict rare grades more often.",
        "확률을 (등급 빈도)^τ로 나눠요. 클수록 드문 등급을 더 자주 예측해요.",
    ),
    "lab_no_limit": Text("no limit", "한도 없음"),
    "lab_limit_help": Text(
        "Riskier pictures are left to a person. Holds on average for pictures like those of the calibration split.",
        "위험이 더 큰 사진은 사람에게 넘겨요. 보정 분할과 비슷한 사진에서 평균적으로 지켜져요.",
    ),
    "lab_referral": Text(
        "For a person: **{referred}** of these pictures. Unseen far errors: **{unseen}** instead of {far}.",
        "사람이 판정할 사진은 **{referred}**예요. 보지 않는 큰 오류는 {far}에서 **{unseen}**(으)로 바뀌어요.",
    ),
    "point_limit": Text("unseen far errors ≤ {limit}", "보지 않는 큰 오류 ≤ {limit}"),
    "point_referred": Text("For a person", "사람이 판정"),
    "point_unseen": Text("Unseen far errors", "보지 않는 큰 오류"),
    "lab_cost": Text("Cost matrix", "비용 행렬"),
    "lab_cost_note": Text(
        "Rows: label, columns: prediction. Only proportions matter.",
        "행은 라벨, 열은 예측이에요. 비율만 의미가 있어요.",
    ),
    "lab_truth": Text("label ↓ prediction →", "라벨 ↓ 예측 →"),
    "lab_no_optimum": Text(
        "Nothing was fitted for this condition: τ has no effect and there are no ranges.",
        "이 증상에는 맞춘 운영점이 없어 τ가 효과가 없고 범위도 나오지 않아요.",
    ),
    "lab_to_optimum": Text("Reset to fitted", "최적값으로"),
    "lab_to_stored": Text("Reset to current", "현재 기준으로"),
    "lab_here": Text("Selected", "지금 선택"),
    "lab_current": capitalized(terms.CURRENT),
    "lab_plain": Text("As trained", "학습된 그대로"),
    "lab_plain_help": Text("Most probable grade, uncalibrated.", "보정하지 않은 확률이 가장 높은 등급"),
    "compare_metrics": Text("Metrics", "지표"),
    "lab_coverage": Text("{coverage} coverage", "{coverage} 포함률"),
    "lab_size": Text("range size", "범위 크기"),
    "lab_cell": Text(
        "{matrix}: label {truth}, prediction {predicted}: {count} pictures",
        "{matrix}: 라벨 {truth}, 예측 {predicted} – 사진 {count}장",
    ),
    "lab_curves": Text(
        "Selected rule over τ on this split; dashed: the recall floor.",
        "고른 규칙에서 τ를 바꿨을 때 이 분할의 값이에요. 점선은 재현율 하한이에요.",
    ),
    "lab_curves_alt": Text("QWK and worst-grade recall over τ", "τ에 따른 QWK와 등급별 최저 재현율"),
    "lab_save": Text("Save as operating point", "운영점으로 저장"),
    "lab_saves": Text(
        "Run {run} will grade {condition} by: {way}.",
        "{run} 실행의 {condition} 판정 방법: {way}. 이전 버전은 보관돼요.",
    ),
    "lab_answers": Text(
        "In use for {condition}: grading and REST change at once.",
        "{condition}에 사용 중인 실행이에요. 등급 추정과 REST는 다음 요청부터 바뀌어요.",
    ),
    "lab_waits": Text(
        "Another run is in use for {condition}: only comparisons change now.",
        "{condition}에는 다른 실행을 사용 중이에요. 지금은 비교 화면만 바뀌어요.",
    ),
    "lab_external": Text(
        "A model from elsewhere: a decision can be tried, not saved.",
        "외부 모델이라 판정 방법을 시험해 볼 수만 있고 저장할 수는 없어요.",
    ),
    "lab_same": Text("Same as current.", "현재 기준과 같아요."),
    "lab_why_default": Text("{condition} by hand: {way}", "{condition} 직접 선택: {way}"),
    "point_author": Text("Author", "작성자"),
    "point_occasion": Text("Reason", "이유"),
    "lab_save_button": Text("Save", "저장"),
    "lab_saved": Text("Saved for {condition}.", "{condition} 운영점을 저장했어요."),
    # the panel of a run
    "point": capitalized(terms.OPERATING_POINT),
    "point_note": Text(
        "Fitted on calibration. Validation results, as trained → now; ranges on the test split.",
        "보정 분할에서 맞췄어요. 수치는 검증 분할에서 학습된 그대로 → 지금이고, 범위는 테스트 분할 기준이에요.",
    ),
    "point_none": Text(
        "Not fitted: the most probable grade is used. Fitting needs {count} labelled calibration pictures of two grades.",
        "맞추지 않아 확률이 가장 높은 등급을 써요. 맞추려면 보정 분할에 두 등급 이상의 라벨 있는 사진이 {count}장 필요해요.",
    ),
    "point_refused": Text(
        "{condition}: the fitted decision was not taken, as QWK on validation would fall from {before} to {after}.",
        "{condition}: 맞춘 결정 규칙을 쓰면 검증 QWK가 {before}에서 {after}(으)로 떨어져 쓰지 않아요.",
    ),
    "point_loses": Text(
        "{condition}: QWK on validation falls from {before} to {after} with this decision.",
        "{condition}: 이 결정 규칙을 쓰면 검증 QWK가 {before}에서 {after}(으)로 떨어져요.",
    ),
    "point_temperature": Text("Temperature", "온도"),
    "point_sets": Text("{coverage} range: coverage", "{coverage} 범위: 포함률"),
    "point_size": Text("Range size", "범위 크기"),
    "point_unfitted": Text("not fitted", "맞추지 않음"),
    "point_own_cost": Text("custom costs", "직접 정한 비용"),
    "recall_floor": capitalized(terms.RECALL_FLOOR),
    "point_fit": Text("Refit", "다시 맞추기"),
    "point_fitted": Text("Refitted.", "다시 맞췄어요."),
    "point_why": Text("refitted on the runs page", "학습 실행 화면에서 다시 맞춤"),
    "point_versions": Text("Versions", "버전"),
    "point_made": Text("Created (UTC)", "생성 시각 (UTC)"),
    "point_current": terms.CURRENT,
    "point_what": Text("Change", "변경"),
    "point_first": Text("first version", "첫 버전"),
    "point_changed": Text("{count} conditions", "증상 {count}개"),
    "point_earlier": Text("Earlier version", "이전 버전"),
    "point_bring_back": Text("Restore", "되돌리기"),
    "point_brought_back": Text("restored: {made}, {why}", "되돌림: {made}, {why}"),
    "point_back": Text("Restored.", "되돌렸어요."),
}
