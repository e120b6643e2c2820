"""Texts of the home page."""

from scalp_core.errors import Text

WORDS = {
    "home_tiles": Text("Model in use, test QWK [95%]", "사용 중인 모델, 테스트 QWK [95%]"),
    "tile": Text(
        "{condition}: {run}, test QWK {score} {interval}", "{condition}: {run}, 테스트 QWK {score} {interval}"
    ),
    "home_answers_note": Text(
        "Selected on the validation split: best quadratic weighted kappa (QWK), and among practical equals (within "
        "0.02) the smallest model. QWK: 1 is perfect, 0 is chance.",
        "검증 분할의 이차 가중 카파(QWK)가 가장 높은 모델이에요. 차이가 0.02 이내면 가장 작은 모델을 골라요. QWK는 완전 일치가 1, 우연 "
        "수준이 0이에요.",
    ),
    "home_floor": Text("The floor of this choice: {floor}.", "자동 선택의 최소 기준: {floor}."),
    "home_drop": Text(
        "Drop your own picture: graded at once, not stored", "내 사진을 놓으면 바로 등급을 추정하고, 저장하지 않아요"
    ),
    "home_withheld": Text(
        "This picture was not graded. The next page says why.",
        "등급을 추정하지 않았어요. 다음 페이지에서 이유를 볼 수 있어요.",
    ),
    "home_more": Text("Evidence and report", "근거와 보고서"),
    "home_idle": Text("No run is training.", "진행 중인 학습이 없어요."),
    "home_api": Text("REST: [{address}]({address})", "REST 문서: [{address}]({address})"),
}
