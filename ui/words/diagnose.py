"""Texts of the page that grades pictures."""

from scalp_core import terms
from scalp_core.errors import Text
from scalp_core.labels import CONDITIONS

WORDS = {
    # where pictures come from
    "diagnose_source": Text("Source", "사진 출처"),
    "source_upload": Text("files", "파일"),
    "source_folder": Text("folder", "폴더"),
    "source_camera": Text("camera", "카메라"),
    "source_example": Text("example", "예시"),
    "source_capture": Text("capture", "촬영 한 건"),
    "upload": Text("Drop up to {most} pictures, or a zip, here", "여기에 사진 {most}장까지, 또는 zip을 놓으세요"),
    "upload_folder": Text("Choose a folder of up to {most} pictures", "사진 {most}장까지의 폴더를 고르세요"),
    "other_picture": Text("Other picture", "다른 사진"),
    "camera": Text("Take a picture", "사진 찍기"),
    "camera_help": Text(
        "USB microscopes work as a camera. Browsers allow cameras only on https or localhost.",
        "USB 현미경도 카메라로 쓸 수 있어요. 브라우저는 https나 localhost에서만 카메라를 허용해요.",
    ),
    "upload_privacy": Text(
        "Not stored: pictures stay in memory for this session. Up to {most} pictures, {size} MB; beyond that use "
        "`python -m training.predict`.",
        "저장하지 않아요. 사진은 이 세션 동안만 메모리에 있어요. {most}장, {size} MB까지이며 더 많으면 "
        "`python -m training.predict`를 쓰세요.",
    ),
    "upload_kept": Text("Uploaded pictures: {count}", "올린 사진: {count}장"),
    "upload_clear": Text("Remove", "비우기"),
    "example_or": Text(
        "Or try a test picture of “{data}”; below each, one label",
        "또는 “{data}” 테스트 사진으로 해 보세요. 사진 아래는 라벨 하나예요",
    ),
    "example_pick": Text(
        "Test pictures of “{data}”; below each, one label", "“{data}” 테스트 사진. 사진 아래는 라벨 하나예요"
    ),
    "capture_pick": Text("Captures from the test split of “{data}”", "“{data}” 테스트 분할의 촬영"),
    "diagnose_progress": Text("Grading: {done} of {total}", "등급 추정 중: {done}/{total}장"),
    "diagnose_synthetic": terms.SYNTHETIC_MODEL,
    # several pictures
    "overview": Text("All pictures", "모든 사진"),
    "overview_count": Text("{count} graded", "추정 {count}장"),
    "overview_withheld": Text("{count} withheld by the quality check", "품질 검사로 보류 {count}장"),
    "overview_unusual": Text("{count} unusual", "흔하지 않은 사진 {count}장"),
    "overview_referred": Text("{count} for a person", "사람이 판정할 사진 {count}장"),
    "overview_refer": Text("person", "사람"),
    "overview_bad": Text("{count} unreadable", "읽을 수 없음 {count}개"),
    "overview_capture": Text("Capture {capture}", "촬영 {capture}"),
    "overview_rest": Text("Other pictures", "그 밖의 사진"),
    "overview_highest": Text("highest of the regions", "부위별 최고"),
    "overview_open": Text("Open {name}", "{name} 열기"),
    "overview_choose": Text("Click a picture for details.", "사진을 누르면 자세히 볼 수 있어요."),
    "overview_chosen": Text("Details below.", "아래에서 자세히 볼 수 있어요."),
    "overview_not_graded": Text("not graded; open for the reason", "등급 보류. 눌러서 이유를 확인하세요."),
    "overview_ringed": Text("matches the label", "라벨과 일치"),
    "download_csv_all": Text("All as CSV", "전체 CSV"),
    "download_report_all": Text("All as a printable report (HTML)", "전체 인쇄용 보고서 (HTML)"),
    # quality check
    "gate_too_small": Text("too small", "너무 작음"),
    "gate_blurred": Text("blurred", "흐림"),
    "gate_over_exposed": Text("over-exposed", "과다 노출"),
    "gate_too_dark": Text("too dark", "너무 어두움"),
    "gate_not_a_scalp": Text("not like a scalp", "두피와 다름"),
    "gate_unusual": Text("unusual", "흔하지 않음"),
    "gate_passed": Text(
        "✓ Quality check passed: sharp, well exposed, similar to the training data.",
        "✓ 품질 검사 통과: 선명도와 밝기가 충분하고 학습 데이터와 비슷해요.",
    ),
    "gate_ok": Text("quality check passed", "품질 검사 통과"),
    "gate_not_checked": Text("quality not checked", "품질 검사 안 함"),
    "gate_unusual_picture": Text("Unusual picture", "흔하지 않은 사진"),
    "gate_unchecked": Text(
        "Not checked: this run has no quality check, or an older one. Fit it: `python -m training.gate`.",
        "이 실행에는 품질 검사가 없거나 이전 버전이라 검사하지 않았어요. 만들기: `python -m training.gate`.",
    ),
    "gate_advises": Text("Quality check failed.", "품질 검사를 통과하지 못했어요."),
    "gate_insist": Text("Grade anyway", "그래도 추정하기"),
    "gate_marked": Text("Graded, but an unusual picture.", "흔하지 않은 사진이지만 등급을 추정했어요."),
    "gate_insisted": Text(
        "Graded despite a failed quality check. Do not rely on these grades.",
        "품질 검사를 통과하지 못한 사진이에요. 이 등급은 신뢰하지 마세요.",
    ),
    # one picture
    "grades_view": Text("Show", "보기"),
    "grades_details": Text("details", "자세히"),
    "grades_client": Text("for clients", "고객용"),
    **{f"finding_{condition.value}": terms.CONDITION_SHORT_NAMES[condition.code] for condition in CONDITIONS},
    "findings_none": Text("All six conditions normal", "여섯 증상 모두 양호"),
    "local_map": Text("Map", "지도"),
    "local_subject": Text("{name} by place", "{name}: 위치별 등급"),
    "local_hint": Text("Point at a place or use the arrow keys.", "위치를 가리키거나 화살표 키를 누르세요."),
    "local_cell": Text("Row {row}, column {column}: {grade} ({value})", "{row}행 {column}열: {grade} ({value})"),
    "diagnose_type": Text("Scalp type: {name}", "두피 유형: {name}"),
    "type_why": Text("Why?", "이유"),
    "diagnose_tendencies": Text("Below the threshold: {names}.", "기준 미만의 증상: {names}."),
    "grade_set_note": terms.GRADE_SET_NOTE,
    "grade_by_rule": Text(
        "May differ from the most probable grade: the decision rule also weighs the size of errors.",
        "확률이 가장 높은 등급과 다를 수 있어요. 판정 규칙은 오류의 크기도 고려해요.",
    ),
    # agreement of architectures
    "agreement": Text("All architectures", "모든 모델 구조의 예측"),
    "agreement_note": Text(
        "Best finished run of each architecture at its own operating point, with calibrated probabilities.",
        "모델 구조별 최고 실행이 각자의 운영점으로 예측한 등급과 보정된 확률이에요.",
    ),
    "agreement_ringed": Text("in use for this condition", "이 증상에 사용 중인 모델"),
    "agreement_of": Text("{agreeing} of {all} agree", "{all}개 중 {agreeing}개 일치"),
    # similar pictures
    "nearest": Text("Most similar pictures", "가장 비슷한 사진"),
    "nearest_note": Text(
        "Nearest neighbours in the features of {run}, among {count:,} pictures of “{data}”. Distance: 1 − cosine "
        "similarity.",
        "“{data}” 사진 {count:,}장 가운데 {run} 특징 공간의 최근접 이웃이에요. 거리는 1 − 코사인 유사도예요.",
    ),
    "nearest_this": Text("This picture", "이 사진"),
    "nearest_this_note": Text("estimated grades", "추정 등급"),
    "nearest_labels": Text("Neighbours with labels", "이웃과 라벨"),
    "nearest_distance": Text("distance {distance} · {part}", "거리 {distance} · {part}"),
    "nearest_none": Text("No other pictures in the dataset.", "데이터셋에 다른 사진이 없어요."),
    # provenance and downloads
    "diagnose_answered": Text("Graded by {runs}.", "사용한 실행: {runs}."),
    "parity_working": Text("Checking against REST …", "REST와 비교하는 중 …"),
    "parity_rest": Text(
        "REST agrees (largest probability difference {difference}).", "REST와 같아요 (확률의 최대 차이 {difference})."
    ),
    "parity_rest_other": Text(
        "REST differs (largest probability difference {difference}).", "REST와 달라요 (확률의 최대 차이 {difference})."
    ),
    "parity_torch": Text(
        "Exported and trained model differ by {difference}.", "내보낸 모델과 학습한 모델의 차이: {difference}."
    ),
    "parity_unknown": Text(
        "Difference between exported and trained model not recorded.", "내보낸 모델과 학습한 모델의 차이: 기록 없음."
    ),
    "parity_refused": Text("Not compared with REST:", "REST와 비교하지 못했어요:"),
    "downloads": Text("Download", "내려받기"),
    "download_json": Text("JSON", "JSON 파일"),
    "download_csv": Text("CSV", "CSV 파일"),
    "download_report": Text("Printable report (HTML)", "인쇄용 보고서 (HTML)"),
    "download_note": Text(
        "The report contains the picture; nothing is stored here.", "보고서에는 사진이 들어 있고, 서버에는 남지 않아요."
    ),
    "client": Text("Models and REST response", "모델과 REST 응답"),
    "client_note": Text(
        "`?strict=1` refuses pictures that fail the quality check, `?evidence=1` adds evidence maps.",
        "`?strict=1`은 품질 검사를 통과하지 못한 사진을 거절하고, `?evidence=1`은 근거 지도를 더해요.",
    ),
}
