"""Texts of the frame around every page, and those that several pages share."""

from scalp_core import terms
from scalp_core.errors import Text
from scalp_core.terms import capitalized

WORDS = {
    # frame
    "research_only": terms.RESEARCH_ONLY,
    "chip_research": terms.RESEARCH_CHIP,
    "chip_synthetic": terms.SYNTHETIC,
    "chip_tempered": Text("rare grades added", "드문 등급 보강"),
    "page_home": Text("Home", "홈"),
    "page_dataset": Text("Dataset", "데이터셋"),
    "page_compare": Text("Compare models", "모델 비교"),
    "page_diagnose": Text("Grade a picture", "사진 등급 추정"),
    "page_runs": Text("Training runs", "학습 실행"),
    "title_home": Text("Scalp Lab", "Scalp Lab"),
    "title_dataset": Text("Dataset", "데이터셋"),
    "title_compare": Text("Compare models", "모델 비교"),
    "title_diagnose": Text("Grade a picture", "사진 등급 추정"),
    "title_runs": Text("Training runs", "학습 실행"),
    # data
    "data_set": capitalized(terms.DATASET),
    "no_dataset": Text(
        "No dataset yet. Create the demo dataset: python -m training.prepare demo",
        "아직 데이터셋이 없어요. 데모 데이터셋 만들기: python -m training.prepare demo",
    ),
    "drawing": Text("Drawing the demonstration pictures", "데모 사진 그리는 중"),
    "drawing_anew": Text(
        "Drawing the demonstration pictures anew, as those of an earlier version differ",
        "이전 버전과 달라 데모 사진을 다시 그리는 중",
    ),
    "drawing_read_only": Text(
        "The demonstration pictures are missing, and this server is read-only. Draw them on its command line: "
        "`make prepare`.",
        "데모 사진이 없고, 이 서버는 읽기 전용이에요. 서버의 명령줄에서 그리세요: `make prepare`.",
    ),
    "other_dataset": Text(
        "The dataset of this link does not exist. “{shown}” is shown instead.",
        "링크의 데이터셋이 없어 ‘{shown}’ 데이터셋을 보여 드려요.",
    ),
    "synthetic": terms.SYNTHETIC,
    "synthetic_data": terms.SYNTHETIC_DATA,
    "tempered_data": terms.TEMPERED_DATA,
    "split_leaks": Text(
        "This split leaks: training shares {shares} with the test split. Results are too good.",
        "분할에 누출이 있어요. 테스트 사진 중 학습에도 있는 비율: {shares}. 결과가 실제보다 좋게 나와요.",
    ),
    "part": capitalized(terms.SPLIT),
    "part_train": terms.SPLITS["train"],
    "part_valid": terms.SPLITS["valid"],
    "part_calib": terms.SPLITS["calib"],
    "part_test": terms.SPLITS["test"],
    "picture": capitalized(terms.PICTURE),
    "metric_images": capitalized(terms.PICTURES),
    "condition": capitalized(terms.CONDITION),
    "conditions": capitalized(terms.CONDITIONS),
    "grade": capitalized(terms.GRADE),
    "threshold": Text("Present from grade", "증상이 있다고 보는 등급"),
    "label": capitalized(terms.LABEL),
    "unlabelled": terms.UNLABELLED,
    # renaming and deleting
    "manage": Text("Rename, delete", "이름 변경·삭제"),
    "manage_name": Text("New name", "새 이름"),
    "manage_rename": Text("Rename", "이름 변경"),
    "manage_delete": Text("Delete …", "삭제 …"),
    "manage_delete_now": Text("Delete for good", "완전히 삭제"),
    "manage_keep": Text("Keep", "그대로 두기"),
    # models and runs
    "run": capitalized(terms.RUN),
    "architecture": capitalized(terms.ARCHITECTURE),
    "parameters": capitalized(terms.PARAMETERS),
    "seed": capitalized(terms.SEED),
    "pinned": Text("promoted", "지정됨"),
    "pinned_below": Text("promoted, below the floor", "지정됨, 기준 미달"),
    "cancel": Text("Cancel", "취소"),
    "none_finished": Text(
        "No finished run yet. Start one in the sidebar under “Retrain”.",
        "아직 완료된 실행이 없어요. 사이드바의 ‘재학습’에서 시작하세요.",
    ),
    "no_epoch": Text("No finished epoch yet.", "아직 끝난 에폭이 없어요."),
    "phase_starting": Text("starting", "시작하는 중"),
    "time_left": Text("about {minutes} min {seconds:02d} s left", "약 {minutes}분 {seconds:02d}초 남음"),
    # metrics
    "qwk_valid": capitalized(terms.VALID_QWK),
    "qwk_test": capitalized(terms.TEST_QWK),
    "metric_quadratic_weighted_kappa": Text("QWK ↑", "QWK ↑"),
    "metric_average_mean_absolute_error": Text("AMAE ↓", "AMAE ↓"),
    "metric_worst_grade_recall": Text("Worst-grade recall ↑", "등급별 최저 재현율 ↑"),
    "point_error": Text("Calibration error ↓", "보정 오차 ↓"),
    # predictions
    "diagnose_probabilities": Text("Probabilities", "확률"),
    "probability_of_grade": capitalized(terms.PROBABILITY),
    "grade_set": terms.GRADE_SET,
    "refer": terms.REFER,
    "grade_range": Text("{low} to {high}", "{low}부터 {high}까지"),
    "answers_working": Text("Grading with {name} …", "{name} 모델로 추정하는 중 …"),
    "map_working": Text("Computing features: {done:,} of {total:,}", "특징 계산 중: {done:,}/{total:,}장"),
    "compare_first": Text("First {count} shown.", "처음 {count}장만 보여요."),
    # evidence maps
    "diagnose_evidence": Text("Evidence maps", "근거 지도"),
    "evidence_shows": Text("Colours show", "색의 의미"),
    "evidence_local": Text("grade of each place", "위치별 등급"),
    "evidence_whole": Text("whole score", "점수 전체"),
    "evidence_within": Text("differences within the picture", "사진 안의 차이"),
    "evidence_local_note": terms.LOCAL_GRADE_NOTE,
    "evidence_whole_note": Text(
        "Orange supports the grade below, blue opposes it. The mean over the picture is exactly the model's score "
        "against the other grades. All maps share one scale.",
        "주황색은 아래 등급을 뒷받침하고 파란색은 반대하는 곳이에요. 사진 전체의 평균은 다른 등급 대비 모델 점수와 정확히 같아요. "
        "모든 지도는 같은 척도를 써요.",
    ),
    "evidence_within_note": Text(
        "Orange supports the grade below more than the rest of the picture does, blue less. The picture's mean, in "
        "brackets, is subtracted: it is exactly the model's score against the other grades. All maps share one scale.",
        "주황색은 사진의 다른 곳보다 아래 등급을 더, 파란색은 덜 뒷받침하는 곳이에요. 괄호 안은 여기서 뺀 사진 평균으로, 다른 등급 대비 "
        "모델 점수와 정확히 같아요. 모든 지도는 같은 척도를 써요.",
    ),
    "opacity": Text("Opacity", "색 농도"),
    "evidence_local_against": terms.SEVERITY_NAMES[0],
    "evidence_local_for": terms.SEVERITY_NAMES[-1],
    "evidence_whole_against": terms.EVIDENCE_AGAINST,
    "evidence_whole_for": terms.EVIDENCE_FOR,
    "evidence_within_against": Text("less than elsewhere", "다른 곳보다 약함"),
    "evidence_within_for": Text("more than elsewhere", "다른 곳보다 강함"),
    "evidence_scale_local": Text(
        "Expected grade of the probabilities at this place.", "그 위치의 확률로 계산한 등급의 기댓값이에요."
    ),
    "evidence_scale": Text(
        "Logit of this grade minus the mean logit of the other three, at this place.",
        "그 위치에서 해당 등급의 로짓에서 나머지 세 등급 로짓의 평균을 뺀 값이에요.",
    ),
    # downloads
    "export_table": Text("Table", "표"),
    "export_table_note": Text("CSV, or LaTeX (booktabs).", "CSV 또는 LaTeX(booktabs)로 받아요."),
    "export_figure": Text("Figure", "그림"),
    "export_figure_note": Text(
        "SVG or PDF with real text, PNG at 200 dpi.", "글자가 살아 있는 SVG와 PDF, 200dpi PNG로 받아요."
    ),
}
