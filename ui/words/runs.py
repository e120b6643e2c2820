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
    "epochs_done": Text("Epochs", "에폭"),
    "mean_qwk": Text("QWK ↑", "검증 QWK ↑"),
    "runs_curve": Text("QWK by epoch", "에폭별 QWK"),
    "runs_difference": Text("Δ parent", "출발 실행 대비"),
    "runs_age": Text("Age", "경과"),
    "age_minutes": Text("{count} min", "{count}분"),
    "age_hours": Text("{count} h", "{count}시간"),
    "age_days": Text("{count} days", "{count}일"),
    "runs_settings": Text("Settings", "설정"),
    "runs_in_use": Text("Runs in use", "사용 중인 실행"),
    "pause": Text("Pause", "일시 정지"),
    "resume": Text("Resume", "재개"),
    # rename and delete
    "manage_name_help": Text(
        "Lower-case letters, digits, “_” and “-”. Promotions follow; programs that name the run do not.",
        "영문 소문자, 숫자, “_”, “-”. 지정은 그대로 유지되지만, 실행 이름을 쓰는 프로그램은 직접 고쳐야 해요.",
    ),
    "manage_renamed": Text("{before} is now {after}.", "{before} 실행의 이름을 {after}(으)로 바꿨어요."),
    "manage_deleted": Text("Deleted {run}; {size} freed.", "{run} 실행을 삭제해 {size}를 비웠어요."),
    "manage_question": Text(
        "Delete {run}? This frees {size} and cannot be undone.",
        "{run} 실행을 삭제할까요? {size}를 비우며 되돌릴 수 없어요.",
    ),
    "manage_answers": Text(
        "It is in use for {conditions}; another run takes its place, or none.",
        "{conditions}에 사용 중이에요. 다른 실행이 대신하거나 사용 중인 실행이 없어져요.",
    ),
    "manage_children": Text(
        "These started from it and keep their weights: {runs}.",
        "이 실행에서 시작한 실행이며 가중치는 유지돼요: {runs}.",
    ),
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
    "runs_pack": Text("Evidence pack", "증거 묶음"),
    "runs_pack_note": Text(
        "One zip: model card, CLAIM checklist, recipe, hashes, predictions, report, and the network with a script that "
        "grades with it alone. No pictures.",
        "zip 하나에 모델 카드, CLAIM 점검표, 설정, 해시, 예측, 보고서, 그리고 네트워크와 단독 실행 스크립트가 들어 있어요. 사진은 없어요.",
    ),
    "runs_files": Text("Files", "파일"),
    "file": capitalized(terms.FILE),
    "size": Text("Size", "크기"),
    "runs_log": Text("Log", "로그"),
    "empty_log": Text("Empty.", "비어 있어요."),
    # against the runs in use
    "verdict": Text("Against its parent and the runs in use", "출발 실행·사용 중인 실행과 비교"),
    "verdict_in_use": Text("in use: {conditions}", "사용 중: {conditions}"),
    "verdict_parent": Text("parent {run}", "출발 실행 {run}"),
    "verdict_answering": Text("run in use", "사용 중인 실행"),
    "verdict_none": Text("No run to compare with on the same pictures.", "같은 사진으로 비교할 실행이 없어요."),
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
