"""Texts of the page of training runs: list, progress, one run, promotion."""

from scalp_core import terms
from scalp_core.errors import Text
from scalp_core.terms import capitalized

WORDS = {
    "runs_none": Text("No runs yet.", "아직 실행이 없어요."),
    "state": Text("State", "상태"),
    "runs_from_synthetic": Text("started from synthetic", "합성 사진으로 학습한 실행에서 시작"),
    "runs_not_exported": Text("finished, not exported", "완료, 내보내지 못함"),
    "runs_export": Text("Export again", "다시 내보내기"),
    "runs_exporting": Text("Exporting …", "내보내는 중 …"),
    "runs_unlabelled": Text(
        "Learned from {learned} pictures; left out without a label: {unlabelled}.",
        "사진 {learned}장으로 학습했고, 라벨이 없어 제외한 사진은 {unlabelled}장이에요.",
    ),
    "runs_damaged": Text("damaged", "손상됨"),
    "epochs_done": Text("Epochs done", "끝난 에폭"),
    "epochs_planned": Text("Epochs planned", "전체 에폭"),
    "mean_qwk": Text("Best validation QWK", "최고 검증 QWK"),
    "created": Text("Created (UTC)", "생성 시각 (UTC)"),
    "runs_choose": Text("Run details", "자세히 볼 실행"),
    "pause": Text("Pause", "일시 정지"),
    "resume": Text("Resume", "재개"),
    # progress
    "phase_queued": Text("queued", "대기 중"),
    "phase_preparing": Text("preparing pictures {share}", "사진 준비 중 {share}"),
    "phase_computing": Text("computing features {share}", "특징 계산 중 {share}"),
    "phase_training": Text("epoch {epoch} of {epochs}", "에폭 {epoch}/{epochs}"),
    "phase_grading": Text("evaluating on validation and test", "검증·테스트 평가 중"),
    "phase_exporting": Text("fitting the operating point, exporting", "판정 기준 조정·내보내는 중"),
    "phase_stopping": Text("stopping", "멈추는 중"),
    "live_reached": Text(
        "QWK {qwk} (best {best} in epoch {epoch}) · loss {loss}", "QWK {qwk} (최고 {best}, 에폭 {epoch}) · 손실 {loss}"
    ),
    "live_patience": Text("early stopping in {count} epochs", "{count}에폭 뒤 조기 종료"),
    "live_at_once": Text("low memory: micro-batches of {count}", "메모리 부족: {count}장씩 나눠 처리"),
    # one run
    "runs_curves": capitalized(terms.LEARNING_CURVES),
    "runs_changed": Text("Settings that differ from the defaults", "기본값과 다른 설정"),
    "runs_nothing_changed": Text("All defaults.", "모두 기본값이에요."),
    "setting": Text("Setting", "설정"),
    "setting_here": Text("Value", "값"),
    "setting_default": Text("Default", "기본값"),
    "runs_recipe_whole": Text("Full recipe", "전체 학습 설정"),
    "runs_manifest": Text("Manifest: hashes, versions, device", "매니페스트: 해시, 버전, 장치"),
    "runs_files": Text("Files", "파일"),
    "file": capitalized(terms.FILE),
    "size": Text("Size", "크기"),
    "runs_log": Text("Log", "로그"),
    "empty_log": Text("Empty.", "비어 있어요."),
    # against the runs in use
    "verdict": Text("Against the runs in use", "사용 중인 실행과 비교"),
    "verdict_note": Text(
        "QWK difference on validation with 95% CI (paired bootstrap over captures). Within ±0.02: practically equal.",
        "검증 분할의 QWK 차이와 95% 신뢰 구간이에요(촬영 단위 대응 부트스트랩). ±0.02 이내는 사실상 같다고 봐요.",
    ),
    "verdict_answers": Text("in use", "사용 중"),
    "verdict_promoted": Text("in use, promoted", "사용 중 (지정됨)"),
    "verdict_promoted_below": Text("in use, promoted, below the floor", "사용 중 (지정됨, 기준 미달)"),
    "verdict_below": Text("{words}; below the floor", "{words}, 기준 미달"),
    "verdict_misses": Text("It does not answer by itself: {why}.", "자동으로 사용되지 않아요: {why}."),
    "passed_over": Text(
        "Not enough to answer without a decision of yours; to use such a run, promote it under Training runs:",
        "자동으로 사용하기에는 근거가 부족해요. 그래도 사용하려면 ‘학습 실행’에서 지정하세요.",
    ),
    "none_answers": Text("No run answers for: {conditions}.", "사용 중인 실행이 없는 증상: {conditions}."),
    "elected": Text(
        "{condition}: since {time} (UTC) answered by {after} instead of {before}, because: {why}.",
        "{condition}: {time}(UTC)부터 {before} 대신 {after} 실행을 사용해요. 이유: {why}.",
    ),
    "elected_first": Text(
        "{condition}: since {time} (UTC) answered by {after}, because: {why}.",
        "{condition}: {time}(UTC)부터 {after} 실행을 사용해요. 이유: {why}.",
    ),
    "elected_none": Text(
        "{condition}: since {time} (UTC) no longer answered by {before}, because: {why}.",
        "{condition}: {time}(UTC)부터 {before} 실행을 사용하지 않아요. 이유: {why}.",
    ),
    "verdict_no_run": Text("no run in use yet", "아직 사용 중인 실행 없음"),
    "verdict_against": Text("{difference} against {run}: {verdict}", "{run} 대비 {difference}: {verdict}"),
    "verdict_no_interval": Text(
        "{difference} against {run}; too few captures for a CI",
        "{run} 대비 {difference}. 촬영이 너무 적어 신뢰 구간을 계산할 수 없음",
    ),
    "verdict_unlabelled": Text("no validation labels to compare with {run}", "{run} 실행과 비교할 검증 라벨이 없음"),
    "promote": Text("Promote", "이 실행으로 지정"),
    "promote_back": Text("Back to automatic", "자동 선택으로 되돌리기"),
    "promote_done": Text("{run} is now in use for {condition}.", "이제 {condition}에 {run} 실행을 사용해요."),
    "promote_automatic": Text("{condition}: back to automatic.", "{condition}: 자동 선택으로 되돌렸어요."),
    "promote_log": Text("Log of the runs in use", "사용 실행 변경 기록"),
    "promote_time": Text("Time (UTC)", "시각 (UTC)"),
    "promote_kind": Text("Kind", "구분"),
    "promote_pinned": Text("promoted", "지정"),
    "promote_unpinned": Text("automatic", "자동"),
    "promote_elected": Text("selected", "자동 선택"),
    "promote_before": Text("Before", "이전 실행"),
    "promote_after": Text("After", "이후 실행"),
    "promote_why": capitalized(terms.VERDICT),
}
