"""Every sentence of the interface in both languages. Names of conditions, grades and states are in the core."""

import re
from dataclasses import dataclass

from scalp_core.data.dataset import PARTS
from scalp_core.errors import Text

_MARKDOWN = re.compile(r"[\\`*_{}\[\]()#+!|$~:<>]")


@dataclass(frozen=True)
class Say:
    """Says things in the reader's language."""

    language: str

    def __call__(self, key: str, **values: object) -> str:
        return WORDS[key](self.language).format(**values)

    def of(self, text: Text) -> str:
        return text(self.language)

    def plain(self, text: Text) -> str:
        """For text that may repeat what somebody typed or linked to: nothing in it becomes a link or a picture."""
        return _MARKDOWN.sub(r"\\\g<0>", text(self.language))

    def part(self, part: str) -> str:
        return self(f"part_{part}") if part in PARTS else part


WORDS: dict[str, Text] = {
    # frame
    "research_only": Text(
        "Research only. Not a medical device: estimated grades of pictures are no diagnosis. For a skin or hair "
        "problem see a dermatologist.",
        "연구용이에요. 의료기기가 아니며, 사진의 추정 등급은 의학적 판단이 아니에요. 두피나 모발에 문제가 있으면 피부과 전문의와 "
        "상담하세요.",
    ),
    "page_home": Text("Home", "홈"),
    "page_dataset": Text("Data set", "데이터"),
    "page_compare": Text("Compare models", "모델 비교"),
    "page_diagnose": Text("Grade a picture", "사진 등급 추정"),
    "page_runs": Text("Training runs", "학습 실행"),
    "title_home": Text("Scalp Lab", "Scalp Lab"),
    "title_dataset": Text("Data set", "데이터 탐색"),
    "title_compare": Text("Compare models", "모델 비교"),
    "title_diagnose": Text("Grade a picture", "사진 등급 추정"),
    "title_runs": Text("Training runs", "학습 실행"),
    "part_train": Text("train", "학습"),
    "part_valid": Text("validation", "검증"),
    "part_calib": Text("calibration", "보정"),
    "part_test": Text("test", "테스트"),
    "data_set": Text("Data set", "데이터 세트"),
    "condition": Text("Condition", "증상"),
    "grade": Text("Grade", "등급"),
    "part": Text("Part", "분할"),
    "run": Text("Run", "실행"),
    "architecture": Text("Architecture", "모델 구조"),
    "synthetic": Text("synthetic", "합성"),
    "synthetic_data": Text(
        "Synthetic data: these pictures are rendered by a program, not taken of people. Figures measured on them say "
        "nothing about real scalps.",
        "합성 데이터: 사람을 촬영한 사진이 아니라 프로그램이 그린 그림이에요. 여기서 측정한 성능은 실제 두피에 대해 아무것도 말해 주지 "
        "않아요.",
    ),
    "no_dataset": Text(
        "There is no data set yet. Make the demo one with: python -m training.prepare demo",
        "아직 데이터 세트가 없어요. 데모 데이터 만들기: python -m training.prepare demo",
    ),
    "other_dataset": Text(
        "The link asks for a data set that is not here. This is “{shown}”.",
        "링크가 가리키는 데이터 세트가 없어 ‘{shown}’을(를) 표시해요.",
    ),
    "none_finished": Text(
        "No run has finished yet. Start one in the sidebar under “Retrain”.",
        "아직 완료된 실행이 없어요. 사이드바의 ‘재학습’에서 시작하세요.",
    ),
    # home
    "home_intro": Text(
        "Explore microscope pictures of the scalp, compare five families of image models on six conditions graded "
        "0 to 3, grade a picture of your own, and retrain.",
        "두피 현미경 사진을 살펴보고, 0–3 등급의 여섯 가지 증상에 대해 다섯 계열의 이미지 분류 모델을 비교하고, 직접 올린 사진의 등급을 "
        "추정하고, 다시 학습할 수 있어요.",
    ),
    "home_answers": Text("Which run answers", "증상별 사용 모델"),
    "home_answers_note": Text(
        "Chosen on the validation part: the best by quadratic weighted kappa (QWK), the smallest among practical equals "
        "(within 0.02). QWK is 1 for perfect agreement and 0 for chance; the test part took no part in the choice.",
        "검증 분할의 이차 가중 카파(QWK)가 가장 높은 실행을 고르고, 사실상 같으면(0.02 이내) 가장 작은 모델을 써요. QWK는 완전 "
        "일치가 1, 우연 수준이 0이며, 테스트 분할은 선택에 쓰지 않아요.",
    ),
    "learned_from": Text("Learned from", "학습 데이터"),
    "qwk_valid": Text("QWK validation", "검증 QWK"),
    "qwk_test": Text("QWK test", "테스트 QWK"),
    "pinned": Text("promoted", "지정됨"),
    "home_training": Text("Training now", "지금 학습 중"),
    "home_idle": Text("Nothing is training.", "진행 중인 학습이 없어요."),
    "home_start_dataset": Text("Look at the pictures and their labels", "사진과 라벨 보기"),
    "home_start_compare": Text("See where each model errs", "모델별 오류 보기"),
    "home_start_diagnose": Text("Upload a picture", "사진 올리기"),
    "home_start_runs": Text("Follow the trainings", "학습 진행 보기"),
    "home_api": Text(
        "For programs: the REST interface is described at [/api/docs](/api/docs) on this same address.",
        "프로그램에서 쓰기: REST 인터페이스 설명은 같은 주소의 [/api/docs](/api/docs)에 있어요.",
    ),
    # dataset
    "dataset_size": Text(
        "{images:,} pictures of {captures:,} captures at {sites:,} sites.",
        "사진 {images:,}장, 촬영 {captures:,}건, 기관 {sites:,}곳.",
    ),
    "dataset_counts": Text("Labels by condition, grade and part", "증상·등급·분할별 라벨 수"),
    "dataset_table": Text("The same as a table", "표로 보기"),
    "view": Text("View", "보기"),
    "view_pictures": Text("Pictures", "사진"),
    "view_labels": Text("Labels", "라벨 통계"),
    "view_map": Text("Map", "지도"),
    "view_audit": Text("Audit", "점검"),
    "view_import": Text("Import", "가져오기"),
    "dataset_of": Text("Of {whole:,} pictures.", "(전체 {whole:,}장)"),
    "export_csv": Text("These rows as CSV", "CSV로 내려받기"),
    "unknown": Text("unknown", "알 수 없음"),
    "all_parts": Text("all parts", "전체"),
    "count_what": Text("Count", "세는 단위"),
    "count_images": Text("pictures", "사진"),
    "count_captures": Text("captures", "촬영"),
    "count_sites": Text("sites", "기관"),
    "spearman": Text("Rank correlation of the labels", "라벨의 순위 상관"),
    "spearman_note": Text(
        "Spearman's rank correlation over the pictures labelled in both conditions: 1 rise together, −1 one rises as "
        "the other falls.",
        "두 증상 모두 라벨이 있는 사진의 스피어만 순위 상관이에요. 1이면 함께 커지고, −1이면 반대로 움직여요.",
    ),
    "cooccurrence": Text("Conditions together", "함께 나타나는 증상"),
    "cooccurrence_note": Text(
        "Of the pictures with the condition of the row (grade 1 or worse), the share that has the one of the column "
        "too.",
        "행의 증상이 있는(1등급 이상) 사진 가운데 열의 증상도 있는 비율이에요.",
    ),
    "by_field": Text("Grades of {condition}", "{condition} 등급 분포"),
    "by_what": Text("By", "기준"),
    "by_nothing": Text("None of these pictures has a label.", "라벨이 있는 사진이 없어요."),
    "sort_by": Text("Sort by", "정렬 기준"),
    "sort_order": Text("Order", "순서"),
    "sort_up": Text("ascending", "오름차순"),
    "sort_down": Text("descending", "내림차순"),
    "filters": Text("Filters", "필터"),
    "filters_active": Text("Filters ({count} active)", "필터 ({count}개 적용)"),
    "filters_note": Text(
        "All filters hold together; of the values of one filter any may hold.",
        "여러 필터는 모두 만족해야 하고, 한 필터 안의 값은 하나만 맞으면 돼요.",
    ),
    "filters_any": Text("any", "전체"),
    "filters_clear": Text("Clear all filters", "필터 모두 지우기"),
    "filters_text": Text("Part of the picture's name", "사진 이름의 일부"),
    "filters_alike": Text("Only near-duplicates", "거의 같은 사진만"),
    "field_id": Text("Name", "이름"),
    "field_part": Text("Part", "분할"),
    "field_region": Text("Region", "부위"),
    "field_device": Text("Device", "기기"),
    "field_site": Text("Site", "기관"),
    "field_capture": Text("Capture", "촬영"),
    "drawn_as": Text("Drawn as (severity)", "실제로 그린 등급 (심각도)"),
    "confusers": Text("Also in the picture", "사진에 함께 있는 것"),
    "confuser_bubbles": Text("bubbles", "기포"),
    "confuser_motion": Text("motion blur", "흔들림"),
    "confuser_defocus": Text("out of focus", "초점 흐림"),
    "confuser_dye": Text("dye stains", "염색약 얼룩"),
    "confuser_blood": Text("blood, crusts", "핏자국·딱지"),
    "confuser_over_exposed": Text("an over-exposed corner", "과다 노출된 모서리"),
    "confuser_front_hair": Text("a hair before the lens", "렌즈 앞의 머리카락"),
    "confuser_full_of_hair": Text("hair all over", "화면을 덮은 머리카락"),
    "field_official": Text("Publisher's split", "배포처 분할"),
    "field_sharpness": Text("Sharpness", "선명도"),
    "field_lightness": Text("Lightness (L*)", "명도 (L*)"),
    "field_clipped": Text("Clipped share", "명암 손실 비율"),
    "field_cast_red": Text("Red cast (a*)", "붉은 기 (a*)"),
    "field_cast_yellow": Text("Yellow cast (b*)", "노란 기 (b*)"),
    "field_bytes": Text("File size", "파일 크기"),
    "field_width": Text("Width", "너비"),
    "field_height": Text("Height", "높이"),
    "field_look_alikes": Text("Near-duplicates", "거의 같은 사진"),
    "official_train": Text("training", "학습"),
    "official_valid": Text("validation", "검증"),
    "official_both": Text("both", "둘 다"),
    "look_alikes": Text("Near-duplicates", "거의 같은 사진"),
    "map_run": Text("As this run sees them", "기준 실행"),
    "map_colour": Text("Colour", "색"),
    "map_sample": Text("Pictures at most", "최대 사진 수"),
    "map_few": Text("Too few pictures for a map.", "지도를 그리기에 사진이 너무 적어요."),
    "map_working": Text("Computing features: {done:,} of {total:,}", "특징 계산 중: {total:,}장 중 {done:,}장"),
    "map_note": Text(
        "{count:,} pictures as {run} sees them: principal components of its features, which hold {first:.0%} and "
        "{second:.0%} of their variance. Rare grades are drawn more often than they occur.",
        "{run}이(가) 보는 사진 {count:,}장. 특징의 주성분 두 개이며 분산의 {first:.0%}와 {second:.0%}를 담고 있어요. 드문 등급은 "
        "실제보다 더 많이 뽑아요.",
    ),
    "map_alt": Text("Map of pictures by the features of a run", "실행의 특징에 따른 사진 지도"),
    "map_pick": Text(
        "Click a point, or drag a box around some, to see the pictures.",
        "점을 누르거나 상자를 그려 사진을 볼 수 있어요.",
    ),
    "audit_note": Text(
        "What may mislead a model or its evaluation. All pictures are looked at, whatever the filters say.",
        "모델이나 평가를 그르칠 수 있는 것들이에요. 필터와 관계없이 모든 사진을 살펴봐요.",
    ),
    "audit_fine": Text("In order: {count} checks", "이상 없음: {count}개 항목"),
    "audit_figures": Text("Figures", "수치"),
    "audit_images": Text("Show the pictures", "사진 보기"),
    "split_how": Text("How it is split", "분할 방법"),
    "split_leaks": Text(
        "This split leaks. Of the test pictures, training has: {shares}. Figures on it are too good.",
        "이 분할에는 누출이 있어요. 테스트 사진 중 학습에도 있는 비율: {shares}. 여기서 잰 성능은 실제보다 좋게 나와요.",
    ),
    "split_anew": Text(
        "To split anew (runs before and after cannot be compared):",
        "다시 나누려면 (나누기 전후의 실행은 서로 비교할 수 없어요):",
    ),
    "import_report": Text("Import report", "가져오기 보고"),
    "import_facts": Text(
        "{images:,} pictures out of {files:,} picture files, {labels:,} labels. {created}, {seconds:,.0f} s.",
        "사진 파일 {files:,}개에서 사진 {images:,}장, 라벨 {labels:,}개. {created}, {seconds:,.0f}초.",
    ),
    "import_faultless": Text("Nothing was wrong in it.", "문제가 없었어요."),
    "import_faults": Text("The whole list as CSV", "전체 목록 CSV"),
    "fault_name": Text("Name", "이름"),
    "fault_where": Text("Where", "위치"),
    "fault_detail": Text("Detail", "자세히"),
    "import_new": Text("Import pictures", "사진 가져오기"),
    "import_note": Text(
        "From a folder of the computer where this server runs, below `{folder}`. Nothing is uploaded, and the folder is "
        "only read. The command line does the same: `python -m training.prepare aihub FOLDER --name NAME`.",
        "이 서버가 실행되는 컴퓨터의 `{folder}` 아래 폴더에서 가져와요. 업로드하지 않으며 폴더는 읽기만 해요. 명령줄로도 할 수 "
        "있어요: `python -m training.prepare aihub FOLDER --name NAME`.",
    ),
    "import_kind": Text("What is in the folder", "폴더 내용"),
    "import_kind_aihub": Text(
        "AI Hub 216 as it was delivered, zips or unpacked", "AI Hub 216 원본 (zip 그대로 또는 압축을 푼 폴더)"
    ),
    "import_kind_folders": Text("Class folders: condition/grade/…", "등급 폴더: 증상/등급/…"),
    "import_kind_csv": Text("Pictures, with a table of labels (CSV)", "사진과 라벨 표 (CSV)"),
    "import_source": Text("Folder on the server", "서버의 폴더"),
    "import_source_help": Text(
        "The whole path. For AI Hub the folder with Training and Validation in it.",
        "전체 경로. AI Hub는 Training과 Validation이 들어 있는 폴더예요.",
    ),
    "import_whole_path": Text(
        "Give the whole path of the folder, and of the CSV file if there is one.",
        "폴더의 전체 경로를 입력하세요. CSV 파일이 있으면 그 파일도 전체 경로로 입력하세요.",
    ),
    "import_table": Text("CSV file on the server", "서버의 CSV 파일"),
    "import_columns": Text("Columns, where their names do not tell", "열 지정 (이름으로 알 수 없을 때)"),
    "import_columns_help": Text(
        "One a line, field=column: image=file, value_6=loss, site=clinic, capture=visit.",
        "한 줄에 하나씩 항목=열이름: image=파일, value_6=탈모점수, site=기관, capture=촬영.",
    ),
    "import_name": Text("Name of the data set (a–z, 0–9, - and _)", "데이터 세트 이름 (a–z, 0–9, -, _)"),
    "import_by": Text("Split", "분할"),
    "import_automatic": Text("by site where possible (recommended)", "가능하면 기관별 (권장)"),
    "import_extract": Text(
        "Copy the pictures into the data set, so that the folder may go",
        "사진을 데이터 세트로 복사 (원본 폴더가 없어도 됨)",
    ),
    "import_start": Text("Import", "가져오기"),
    "import_started": Text("Importing {name}", "{name} 가져오는 중"),
    "import_stop": Text("Stop", "중지"),
    "import_dismiss": Text("Put away", "닫기"),
    "dataset_shown": Text("{count:,} pictures match.", "조건에 맞는 사진 {count:,}장."),
    "dataset_none": Text(
        "No picture matches these filters. Widen one of them.", "조건에 맞는 사진이 없어요. 조건을 넓혀 보세요."
    ),
    "picture": Text("Picture", "사진"),
    "label": Text("Label", "라벨"),
    "unlabelled": Text("not labelled", "라벨 없음"),
    "same_capture": Text("The same head at the same sitting", "같은 촬영의 다른 부위"),
    "grade_this": Text("Grade this picture", "이 사진의 등급 추정"),
    # compare
    "compare_runs": Text("Models side by side", "나란히 볼 모델"),
    "compare_metric": Text("Metric", "지표"),
    "compare_view": Text("View", "보기"),
    "view_leaderboard": Text("Leaderboard", "순위표"),
    "view_wall": Text("Confusion wall", "혼동행렬 모음"),
    "view_differences": Text("Differences", "모델 간 차이"),
    "view_decision": Text("Decision lab", "판정 실험실"),
    "view_best": Text("Best per condition", "증상별 최선"),
    "compare_not_test": Text(
        "Models were chosen, stopped or calibrated on this part, so their figures here flatter them. Report the test part.",
        "이 분할은 모델 선택·조기 종료·보정에 쓰였으므로 여기의 수치는 실제보다 좋게 나와요. 보고에는 테스트 분할을 쓰세요.",
    ),
    "compare_left_out": Text(
        "{count} finished runs cannot be compared here", "완료되었지만 여기서 비교할 수 없는 실행 {count}개"
    ),
    "compare_reason": Text("Why not", "이유"),
    "compare_report": Text("Printable report (HTML)", "인쇄용 보고서 (HTML)"),
    "compare_report_note": Text(
        "The whole comparison of these models on this part: all figures, tables, recipes and hashes, and the command that "
        "makes it again.",
        "이 분할에서 이 모델들을 비교한 전체 내용이에요. 모든 그림과 표, 학습 설정, 해시, 같은 보고서를 다시 만드는 명령이 들어 있어요.",
    ),
    "best_note": Text(
        "Chosen on the validation part by QWK: of the models within {margin} of the best, the smallest. The test part only "
        "reports what was chosen, with its 95 % interval.",
        "검증 분할의 QWK로 골라요. 최고와의 차이가 {margin} 이내인 모델 가운데 가장 작은 것을 택해요. 테스트 분할은 고른 결과를 95% "
        "구간과 함께 보고하는 데에만 써요.",
    ),
    "best_chosen": Text("Chosen", "선택된 모델"),
    "best_tied": Text("Tied with", "동률"),
    "best_time": Text("Time a picture", "사진당 시간"),
    "best_answers": Text("Answers now", "현재 응답하는 실행"),
    "best_for": Text("Candidates for {condition}", "{condition} 후보"),
    "best_candidate": Text("QWK on validation {valid}, on test {test}", "QWK: 검증 {valid}, 테스트 {test}"),
    "compare_none": Text(
        "No finished run that grades this condition was judged on “{data}”. Start one in the sidebar.",
        "이 증상의 등급을 추정하는 실행 가운데 “{data}”로 평가된 것이 없어요. 사이드바에서 시작하세요.",
    ),
    "compare_choose": Text("Choose at least one model.", "모델을 하나 이상 고르세요."),
    "compare_first": Text("The first {count} are shown.", "처음 {count}장만 보여요."),
    "compare_metrics": Text("Metrics", "지표"),
    "compare_curves": Text("Learning curves", "학습 곡선"),
    "metric_images": Text("Pictures", "사진 수"),
    "metric_quadratic_weighted_kappa": Text("QWK ↑", "QWK ↑"),
    "metric_average_mean_absolute_error": Text("AMAE ↓", "AMAE ↓"),
    "metric_worst_grade_recall": Text("Worst-grade recall ↑", "최저 등급 재현율 ↑"),
    "parameters": Text("Parameters", "파라미터 수"),
    # compare: leaderboard and differences
    "leaderboard_alt": Text(
        "{metric} of every model (rows) in every condition (columns) with 95 % intervals",
        "모델(행)과 증상(열)별 {metric}, 95% 구간 포함",
    ),
    "leaderboard_legend": Text(
        "Each cell: {metric} ({direction}) and below it the 95 % interval, from resampling {captures} captures. Dark is "
        "good, palest is what guessing reaches. Grey: not graded, or nothing can be said.",
        "각 칸은 {metric}({direction})이고, 그 아래는 촬영 {captures}건을 재표집해 얻은 95% 구간이에요. 진할수록 좋으며, 가장 옅은 "
        "색은 찍어서 맞히는 수준이에요. 회색은 추정하지 않거나 말할 수 없는 칸이에요.",
    ),
    "leaderboard_letters": Text(
        "Letters compare within a column: a is the best and whatever is not told apart from it, b the best of the rest "
        "and whatever is not told apart from that, and so on. Below the line: what needs no network, what can be "
        "expected at most, and what others published; the protocols are in the table.",
        "글자는 같은 열 안에서의 비교예요. a는 가장 좋은 모델과 그와 구별되지 않는 모델, b는 나머지 중 가장 좋은 모델과 그와 "
        "구별되지 않는 모델이며, c부터도 같아요. 선 아래는 모델 없이 얻는 값, 기대할 수 있는 최고값, 발표된 값이며 산출 방법은 "
        "표에 있어요.",
    ),
    "leaderboard_more": Text("more is better", "클수록 좋음"),
    "leaderboard_less": Text("less is better", "작을수록 좋음"),
    "leaderboard_table": Text("The same as a table", "표로 보기"),
    "leaderboard_caption": Text(
        "{metric} on the {part} part, 95 % intervals; a: not told apart from the best of its condition",
        "{part} 분할의 {metric}, 95% 구간; a: 그 증상의 최고값과 구별되지 않음",
    ),
    "leaderboard_model": Text("Model", "모델"),
    "leaderboard_value": Text("Value", "값"),
    "leaderboard_low": Text("95 % from", "95% 하한"),
    "leaderboard_high": Text("95 % to", "95% 상한"),
    "leaderboard_tied": Text("Letter", "글자"),
    "leaderboard_seeds": Text("Seeds", "시드 수"),
    "leaderboard_lowest": Text("Lowest seed", "시드 최저"),
    "leaderboard_highest": Text("Highest seed", "시드 최고"),
    "leaderboard_references": Text("References and how they come about", "기준값과 산출 방법"),
    "leaderboard_reference": Text("Reference", "기준값"),
    "leaderboard_protocol": Text("How", "산출 방법"),
    "figure": Text("Figure", "그림"),
    "figure_forest": Text("Differences", "차이"),
    "figure_recall": Text("Recall by grade", "등급별 재현율"),
    "figure_reliability": Text("Reliability", "확률 신뢰도"),
    "figure_curves": Text("Learning curves", "학습 곡선"),
    "figure_pareto": Text("Cost", "비용"),
    "forest_reference": Text("Compared with", "비교 기준"),
    "forest_alt": Text(
        "Difference in {metric} of every model from {reference}, with corrected 95 % intervals",
        "{reference} 대비 모델별 {metric} 차이, 보정한 95% 구간 포함",
    ),
    "forest_note": Text(
        "Intervals are corrected for all pairs of models (Holm) and come from resampling {captures} captures, the same "
        "for all models. Grey band: differences within {negligible}, which nobody would notice. To begin with the models are "
        "compared with the best on validation.",
        "구간은 모든 모델 쌍에 대해 보정(Holm)한 것이며, 모든 모델에 똑같이 촬영 {captures}건을 재표집해 얻었어요. 회색 띠는 "
        "체감할 수 없는 {negligible} 이내의 차이예요. 처음 비교 기준은 검증 분할에서 가장 좋은 모델이에요.",
    ),
    "pairs_title": Text("Pairs of models", "모델 쌍"),
    "pairs_first": Text("Model", "모델"),
    "pairs_second": Text("against", "비교 대상"),
    "pairs_difference": Text("Difference", "차이"),
    "pairs_interval": Text("95 % interval (Holm)", "95% 구간 (Holm)"),
    "pairs_verdict": Text("Verdict", "판단"),
    "pairs_p": Text("p (Holm)", "p값 (Holm)"),
    "pairs_only": Text("Only one right", "한쪽만 맞은 사진"),
    "pairs_mcnemar": Text("p (McNemar)", "p값 (McNemar)"),
    "pairs_note": Text(
        "“Only one right”: pictures whose grade only the first or only the second model has right. McNemar's test goes by "
        "these; it is a secondary figure, as it takes every picture for another head, and so its p is too small.",
        "‘한쪽만 맞은 사진’은 앞 모델만 맞힌 사진 / 뒤 모델만 맞힌 사진의 수예요. McNemar 검정은 이 수로 계산하는 보조 "
        "지표예요. 사진을 모두 다른 사람의 것으로 보기 때문에 p가 실제보다 작게 나와요.",
    ),
    "pairs_seeds": Text(
        "Of models trained with several seeds, McNemar's test takes the first run.",
        "여러 시드로 학습한 모델은 첫 실행으로 McNemar 검정을 해요.",
    ),
    "ranks_title": Text("How stable the order is", "순위의 안정성"),
    "ranks_rank": Text("Rank", "순위"),
    "ranks_range": Text("95 % of resamples", "재표집 95% 범위"),
    "ranks_best": Text("Best in", "1위 비율"),
    "ranks_note": Text(
        "The range of ranks in 95 % of the resamples, and the share of resamples in which the model is the best.",
        "재표집의 95%에서 나온 순위 범위와, 그 모델이 1위인 재표집의 비율이에요.",
    ),
    "recall": Text("Recall", "재현율"),
    "recall_alt": Text(
        "Recall of every grade of {condition} by model, with 95 % intervals",
        "{condition}의 등급별·모델별 재현율, 95% 구간 포함",
    ),
    "recall_note": Text(
        "Of the pictures labelled with a grade (n), the share that the model gives it. 95 % Wilson intervals: they take "
        "every picture for another head and are a little too narrow. A grade at 0 % is never recognised.",
        "그 등급으로 라벨된 사진(n장) 가운데 모델이 같은 등급을 준 비율이에요. 95% Wilson 구간은 사진을 모두 다른 사람의 것으로 보므로 "
        "실제보다 조금 좁아요. 0%인 등급은 한 번도 알아보지 못한 것이에요.",
    ),
    "reliability_alt": Text(
        "Accuracy against confidence by model for {condition}", "{condition}의 모델별 확신도 대비 정확도"
    ),
    "reliability_note": Text(
        "Each point is one of {bins} groups of about as many pictures, the least sure first. On the dashed line a model is as sure "
        "as it is right; below it, too sure. “Error” is the mean distance from the line (expected calibration error), "
        "which chance alone keeps above 0.",
        "점 하나는 사진의 1/{bins}이며, 확신이 낮은 사진부터 묶었어요. 점선 위에 있으면 확신한 만큼 맞은 것이고, 그 아래는 "
        "지나치게 확신한 것이에요. ‘오차’는 점선과의 평균 거리(기대 보정 오차)이며, 우연만으로도 0보다 커요.",
    ),
    "reliability_confidence": Text("Confidence", "확신도"),
    "reliability_accuracy": Text("Share that is right", "맞은 비율"),
    "curves_note": Text(
        "On the validation part, as the mean over all conditions that the run grades.",
        "검증 분할에서, 실행이 추정하는 모든 증상의 평균이에요.",
    ),
    "cost": Text("Cost", "비용"),
    "cost_milliseconds": Text("Milliseconds a picture", "사진당 밀리초"),
    "cost_unknown": Text("Not measured on this machine yet: {names}.", "이 컴퓨터에서 아직 재지 않은 모델: {names}."),
    "cost_measure": Text("Measure on this machine", "이 컴퓨터에서 재기"),
    "cost_measuring": Text("Measuring…", "재는 중…"),
    "pareto_alt": Text("{metric} of every model against {cost}", "모델별 {metric}, {cost} 기준"),
    "pareto_note": Text(
        "Along the dashed steps nothing is both cheaper and better. Where intervals overlap, the order in height may be "
        "chance. Times are of one picture on one core of this machine.",
        "점선 계단 위의 모델보다 더 싸면서 더 좋은 모델은 없어요. 구간이 겹치면 위아래 순서는 우연일 수 있어요. 시간은 이 "
        "컴퓨터의 코어 하나로 사진 한 장을 처리하는 시간이에요.",
    ),
    # compare: export
    "export_table": Text("Table", "표"),
    "export_table_note": Text(
        "As CSV for a spreadsheet, or as LaTeX for a paper (package booktabs).",
        "스프레드시트용 CSV 또는 논문용 LaTeX(booktabs 패키지)로 내려받아요.",
    ),
    "export_figure": Text("Figure", "그림"),
    "export_figure_note": Text(
        "Drawn for print when you ask for it: SVG with real text, or PNG with 200 pixels an inch.",
        "누르면 인쇄용으로 새로 그려요. SVG는 글자가 글자로 남고, PNG는 인치당 200픽셀이에요.",
    ),
    # compare: wall
    "wall_cells": Text("Cells show", "칸에 표시할 값"),
    "wall_cells_shares": Text("pictures", "사진 수"),
    "wall_cells_difference": Text("difference from one model", "기준 모델과의 차이"),
    "wall_reference": Text("Reference model", "기준 모델"),
    "wall_note": Text(
        "{condition}, part “{part}”. Rows are the label, columns the prediction. Click a cell to see its pictures; by "
        "keyboard, Tab leads into a matrix, the arrow keys through it, and Enter picks.",
        "{condition}, ‘{part}’ 분할. 행은 라벨, 열은 예측이에요. 칸을 누르면 해당 사진이 나와요. 키보드로는 Tab으로 행렬에 들어가 "
        "화살표 키로 옮기고 Enter로 골라요.",
    ),
    "wall_difference_note": Text(
        "Each cell: its share of the row minus the same share of {name}, in percentage points; the matrix of {name} "
        "itself shows pictures. On the diagonal more is better, elsewhere less.",
        "각 칸은 행 안에서의 비율에서 {name}의 같은 비율을 뺀 값(%p)이며, {name}의 행렬은 사진 수를 그대로 보여 줘요. "
        "대각선에서는 클수록, 다른 칸에서는 작을수록 좋아요.",
    ),
    "wall_rows": Text("label ↓", "라벨 ↓"),
    "wall_columns": Text("predicted →", "예측 →"),
    "wall_matrix": Text(
        "Confusion matrix of {name}: rows label, columns prediction", "{name}의 혼동행렬: 행은 라벨, 열은 예측"
    ),
    "wall_cell": Text(
        "label {truth}, predicted {predicted}: {count} pictures, {share} of the row",
        "라벨 {truth}, 예측 {predicted}: 사진 {count}장, 행의 {share}",
    ),
    "wall_cell_against": Text("{cell}; {points} points against the reference", "{cell}, 기준 모델 대비 {points}%p"),
    "wall_cell_empty": Text(
        "label {truth}, predicted {predicted}: no picture has this label",
        "라벨 {truth}, 예측 {predicted}: 이 라벨의 사진 없음",
    ),
    "wall_legend_shares": Text("of the row", "(행 안에서의 비율)"),
    "wall_legend_difference": Text("points against {name}", "%p ({name} 대비)"),
    "wall_legend_far": Text("wrong by two grades or more", "두 등급 이상 틀림"),
    "wall_legend_chosen": Text("chosen cell", "고른 칸"),
    "wall_seeds": Text("mean of {count} seeds", "시드 {count}개의 평균"),
    "wall_not_graded": Text("Does not grade this condition.", "이 증상의 등급은 추정하지 않는 모델이에요."),
    "wall_only": Text("Pictures", "볼 사진"),
    "wall_only_cell": Text("of the chosen cell", "고른 칸의 사진"),
    "wall_only_all_wrong": Text("all models wrong", "모든 모델이 틀림"),
    "wall_only_right": Text("only one model right", "한 모델만 맞음"),
    "wall_only_apart": Text("answers two or more grades apart", "답이 두 등급 이상 갈림"),
    "wall_who": Text("Model", "모델"),
    "wall_pick": Text(
        "Click a cell of a matrix to see the pictures in it.", "행렬의 칸을 누르면 그 칸의 사진이 여기에 나와요."
    ),
    "wall_of_cell": Text("{name}: label {truth}, predicted {predicted}.", "{name}: 라벨 {truth}, 예측 {predicted}."),
    "wall_of_all_wrong": Text("No model has the label.", "라벨을 맞힌 모델이 없음."),
    "wall_of_only_right": Text("Only {name} has the label.", "{name}만 라벨을 맞힘."),
    "wall_of_apart": Text(
        "The lowest and the highest answer are two grades apart or more.",
        "가장 낮은 답과 가장 높은 답이 두 등급 이상 차이 남.",
    ),
    "wall_count": Text(
        "{count:,} of the {whole:,} pictures of “{part}”.", "‘{part}’ 분할의 사진 {whole:,}장 중 {count:,}장."
    ),
    "wall_strip": Text(
        "Squares: the models' answers, from the left {names}. A ring marks those that agree with the label.",
        "네모는 모델의 답이며 왼쪽부터 {names} 순서예요. 테두리가 있으면 라벨과 같은 답이에요.",
    ),
    "wall_first_run": Text(
        "Of models trained with several seeds, pictures and answers are those of the first run: {runs}.",
        "여러 시드로 학습한 모델은 첫 실행의 사진과 답을 보여 줘요: {runs}.",
    ),
    "wall_card": Text("{image}, label {truth}", "{image}, 라벨 {truth}"),
    "wall_answer": Text("{name}: {grade}, probability {probability}", "{name}: {grade}, 확률 {probability}"),
    "answers_error": Text("Against the label", "라벨과 비교"),
    "answers_right": Text("right", "맞음"),
    "answers_high": Text("{count} too high", "{count}등급 높음"),
    "answers_low": Text("{count} too low", "{count}등급 낮음"),
    "answers_working": Text("Looking at the picture with {name} …", "{name} 모델로 사진을 보는 중 …"),
    "answers_evidence": Text("Evidence for", "근거를 볼 등급"),
    "answers_evidence_label": Text("the grade of the label", "라벨의 등급"),
    "answers_evidence_decided": Text("the grade each model decided", "각 모델이 고른 등급"),
    # compare: decision lab
    "lab_note": Text(
        "Try how probabilities become grades; figures follow at once, and nothing is kept until you save. Choose on the "
        "calibration part and check on the validation part. The test part is not offered: tuned on it, a run could no "
        "longer be judged by it.",
        "확률을 등급으로 바꾸는 방법을 바꿔 보면 수치가 바로 따라 바뀌어요. 저장하기 전에는 아무것도 남지 않아요. 보정 분할에서 고르고 검증 "
        "분할에서 확인하세요. 테스트 분할은 고를 수 없어요. 테스트 분할에 맞춰 조정하면 더는 그 분할로 성능을 평가할 수 없기 때문이에요.",
    ),
    "lab_nobody": Text(
        "None of the chosen models grades this condition.", "고른 모델 가운데 이 증상의 등급을 추정하는 것이 없어요."
    ),
    "lab_side": Text("Model", "모델"),
    "lab_seed": Text("seed {seed} · {run}", "시드 {seed} · {run}"),
    "lab_unlabelled": Text(
        "No picture of this part has a label for this condition.", "이 분할에는 이 증상의 라벨이 있는 사진이 없어요."
    ),
    "lab_tau_help": Text(
        "Divides the probabilities by the grades' shares to the power τ: the higher, the more often rare grades are named.",
        "확률을 등급 비율의 τ제곱으로 나눠요. 값이 클수록 드문 등급을 더 자주 골라요.",
    ),
    "lab_cost": Text("What each mistake costs", "오류별 비용"),
    "lab_cost_note": Text(
        "Rows are the label, columns the prediction. The grade that costs least on average is decided; only proportions "
        "matter.",
        "행은 라벨, 열은 예측이에요. 평균 비용이 가장 작은 등급을 고르며, 비용은 비율만 의미가 있어요.",
    ),
    "lab_truth": Text("label ↓ prediction →", "라벨 ↓ 예측 →"),
    "lab_no_optimum": Text(
        "Nothing was fitted for this condition: τ changes nothing and no range is promised.",
        "이 증상에는 맞춘 판정 기준이 없어 τ를 바꿔도 달라지지 않으며, 범위도 제시하지 않아요.",
    ),
    "lab_to_optimum": Text("Back to the fitted optimum", "맞춘 최적값으로"),
    "lab_to_stored": Text("Back to what is in force", "사용 중인 기준으로"),
    "lab_images": Text(
        "{images:,} labelled pictures in “{part}”, {rarest:,} of the rarest grade: small differences are chance.",
        "‘{part}’ 분할의 라벨 있는 사진 {images:,}장, 가장 드문 등급은 {rarest:,}장이에요. 작은 차이는 우연일 수 있어요.",
    ),
    "lab_here": Text("Chosen here", "지금 선택"),
    "lab_plain": Text("As trained", "학습된 그대로"),
    "lab_plain_help": Text(
        "The most probable grade, from probabilities that are not calibrated.", "보정하지 않은 확률에서 가장 높은 등급"
    ),
    "lab_in_force": Text("In force", "사용 중"),
    "lab_coverage": Text("{coverage} coverage", "{coverage} 범위 포함률"),
    "lab_size": Text("range size", "범위 크기"),
    "lab_cell": Text(
        "{side}: labelled {truth}, predicted {predicted}: {count} pictures",
        "{side}: 라벨 {truth}, 예측 {predicted} – 사진 {count}장",
    ),
    "lab_curves": Text(
        "With the rule chosen here, over the strength for rare grades, on the part shown. Decisions by another rule lie "
        "off the lines. The optimum is that of the calibration part: best QWK among those that keep the recall asked "
        "for (dashed).",
        "지금 고른 규칙으로 드문 등급 보강을 바꿨을 때 표시된 분할에서의 값이에요. 다른 규칙의 판정은 선에서 벗어나요. 최적값은 보정 "
        "분할에서, 재현율 하한(점선)을 지키는 것 가운데 QWK가 가장 높은 것이에요.",
    ),
    "lab_curves_alt": Text(
        "QWK and worst-grade recall over the strength for rare grades", "드문 등급 보강에 따른 QWK와 최저 등급 재현율"
    ),
    "lab_save": Text("Save as operating point", "판정 기준으로 저장"),
    "lab_saves": Text(
        "Run {run} will decide {condition} by: {way}. Its other conditions stay as they are. Earlier versions are kept "
        "and can be brought back.",
        "{run} 실행의 {condition} 판정을 다음으로 바꿔요: {way}. 다른 증상은 그대로예요. 이전 버전은 보관되며 되돌릴 수 있어요.",
    ),
    "lab_answers": Text(
        "This run answers for {condition} now: the page “Grade a picture” and REST decide by it from the next request on.",
        "지금 {condition}에 사용 중인 실행이에요. ‘사진 등급 추정’ 화면과 REST는 다음 요청부터 이 기준으로 판정해요.",
    ),
    "lab_waits": Text(
        "Another run answers for {condition} now: comparisons change at once, the page “Grade a picture” and REST as soon "
        "as this run answers.",
        "지금 {condition}에는 다른 실행을 사용 중이에요. 비교 화면은 바로 바뀌고, ‘사진 등급 추정’ 화면과 REST는 이 실행을 사용하게 되면 "
        "바뀌어요.",
    ),
    "lab_same": Text(
        "This is what is in force: there is nothing to save.", "이미 사용 중인 기준이라 저장할 것이 없어요."
    ),
    "lab_why_default": Text("{condition} by hand: {way}", "{condition} 직접 선택: {way}"),
    "lab_save_button": Text("Save", "저장"),
    "lab_saved": Text(
        "Saved: {condition} is decided by it from now on.",
        "저장했어요. 이제 {condition} 등급은 이 기준으로 판정해요.",
    ),
    "point_who": Text("Who", "결정한 사람"),
    "point_what": Text("What", "내용"),
    "point_first": Text("first version", "첫 버전"),
    "point_changed": Text("{count} conditions", "증상 {count}개"),
    "point_own_cost": Text("costs of one's own", "직접 정한 비용"),
    "point_earlier": Text("Earlier version", "이전 버전"),
    "point_bring_back": Text("Bring back", "되돌리기"),
    "point_brought_back": Text("brought back: {made}, {why}", "되돌림: {made}, {why}"),
    "point_back": Text("Brought back. Grades are decided by it from now on.", "되돌렸어요. 이제 이 기준으로 판정해요."),
    # diagnose
    "diagnose_source": Text("Picture from", "사진 출처"),
    "diagnose_grades": Text("Estimated grades", "추정 등급"),
    "diagnose_probabilities": Text("Probabilities", "확률"),
    "diagnose_type": Text("Scalp type: {name}", "두피 유형: {name}"),
    "diagnose_tendencies": Text(
        "Above normal but below the threshold: {names}.", "양호는 아니지만 기준에 못 미치는 증상: {names}."
    ),
    "threshold": Text("A condition counts as present from", "증상이 있다고 보는 기준"),
    "diagnose_evidence": Text("Where the grade comes from", "등급의 근거 위치"),
    "evidence_shows": Text("What the colours show", "색이 나타내는 것"),
    "evidence_whole": Text("the whole score", "점수 전체"),
    "evidence_within": Text("differences within the picture", "사진 안의 차이"),
    "evidence_whole_note": Text(
        "Orange places speak for the grade named below, blue ones against it, uncoloured ones for neither. The mean over "
        "the picture is the model's score for the grade against the other three, exactly: nothing is approximated. All pictures share one scale.",
        "주황색은 아래에 적힌 등급을 뒷받침하는 곳, 파란색은 반대하는 곳, 색이 없으면 어느 쪽도 아니에요. 사진 전체의 평균이 다른 세 등급에 대한 모델의 "
        "점수와 정확히 같으며 근사가 아니에요. 모든 그림은 같은 색상 척도를 써요.",
    ),
    "evidence_within_note": Text(
        "Orange places speak more for the grade named below than the rest of the picture does, blue ones less. The mean "
        "over the picture, in brackets, is taken off; it is the model's score for the grade against the other three, "
        "exactly. All pictures share one scale.",
        "주황색은 아래에 적힌 등급을 사진의 다른 곳보다 더 뒷받침하는 곳, 파란색은 덜 뒷받침하는 곳이에요. 괄호 안은 여기서 뺀 사진 전체 평균으로, "
        "다른 세 등급에 대한 모델의 점수와 정확히 같아요. 모든 그림은 같은 색상 척도를 써요.",
    ),
    "opacity": Text("Strength of the colours", "색 농도"),
    "diagnose_answered": Text("Answered by {runs}.", "추정에 사용한 모델(학습 실행): {runs}."),
    "grade_by_rule": Text(
        "Not always the most probable grade: the run's decision rule weighs how far off a mistake would be, so that rare "
        "grades are not given up.",
        "가장 확률이 높은 등급과 다를 수 있어요. 실행의 판정 규칙은 드문 등급을 놓치지 않도록 오류의 크기도 함께 고려해요.",
    ),
    "probability_of_grade": Text("Prob.", "확률"),
    # diagnose: page
    "upload": Text(
        "Pictures of the scalp: JPEG, PNG, WebP, or zip files of them (up to {most} pictures)",
        "두피 사진: JPEG, PNG, WebP 또는 이를 묶은 zip 파일 ({most}장까지)",
    ),
    "upload_folder": Text(
        "A folder of pictures: JPEG, PNG, WebP (up to {most} pictures)",
        "사진이 든 폴더: JPEG, PNG, WebP ({most}장까지)",
    ),
    "upload_privacy": Text(
        "Nothing is stored: pictures and grades stay in this server's memory for this session only. At most {most} "
        "pictures of {size} MB together; for more there is `python -m training.predict`.",
        "아무것도 저장하지 않아요. 사진과 등급은 이 세션 동안만 서버 메모리에 있어요. 한 번에 {most}장, 모두 합해 {size} MB까지이며, "
        "더 많으면 `python -m training.predict`를 쓰세요.",
    ),
    "upload_kept": Text("Pictures handed in before: {count}", "앞서 올린 사진: {count}장"),
    "upload_let_go": Text("Remove them", "비우기"),
    "camera": Text("Take a picture", "사진 찍기"),
    "camera_help": Text(
        "A microscope that the computer takes for a camera works as well. Browsers allow cameras only on https "
        "addresses and on localhost.",
        "컴퓨터가 카메라로 인식하는 현미경도 쓸 수 있어요. 브라우저는 https 주소나 localhost에서만 카메라를 허용해요.",
    ),
    "source_upload": Text("my files", "내 파일"),
    "source_folder": Text("a folder", "폴더"),
    "source_camera": Text("the camera", "카메라"),
    "source_example": Text("an example", "예시"),
    "source_capture": Text("a whole capture", "촬영 한 건"),
    "example_pick": Text("Example from the test part of “{data}”", "“{data}” 테스트 분할의 예시"),
    "capture_pick": Text("Capture from the test part of “{data}”", "“{data}” 테스트 분할의 촬영"),
    "diagnose_wait": Text(
        "Hand in one picture or several, take one, or choose an example.",
        "사진을 한 장 또는 여러 장 올리거나, 찍거나, 예시를 고르세요.",
    ),
    "diagnose_progress": Text("Grading: {done} of {total}", "등급 추정 중: {total}장 중 {done}장"),
    "diagnose_synthetic": Text(
        "A run that answers learned from synthetic pictures. On a real scalp its grades mean nothing; they show how the "
        "tool works. Train on your own data to change that.",
        "추정에 사용한 모델은 합성 그림으로 학습했어요. 실제 두피에 대한 등급은 의미가 없고, 도구의 동작을 보여 줄 뿐이에요. 직접 가진 "
        "데이터로 학습하세요.",
    ),
    # diagnose: several pictures
    "overview": Text("All pictures with their grades", "모든 사진과 등급"),
    "overview_count": Text("{count} graded", "추정 {count}장"),
    "overview_withheld": Text(
        "{count} not graded, as the quality check advises against it", "품질 검사에서 걸려 보류 {count}장"
    ),
    "overview_bad": Text("{count} could not be read", "읽을 수 없음 {count}개"),
    "overview_capture": Text("Capture {capture}", "촬영 {capture}"),
    "overview_rest": Text("Other pictures", "그 밖의 사진"),
    "overview_highest": Text("highest of the regions", "부위별 최고"),
    "overview_open": Text("Open {name}", "{name} 열기"),
    "overview_chosen": Text("The picture you chose is shown below.", "선택한 사진은 아래에 있어요."),
    "overview_choose": Text("Click a picture to see its reasons.", "사진을 누르면 근거를 볼 수 있어요."),
    "overview_not_graded": Text("not graded; open it to see why", "등급 보류. 눌러서 이유를 확인하세요."),
    "overview_ringed": Text("as labelled", "라벨과 일치"),
    # diagnose: the check before grading
    "gate_too_small": Text("too small", "너무 작음"),
    "gate_blurred": Text("blurred", "흐림"),
    "gate_over_exposed": Text("over-exposed", "과다 노출"),
    "gate_too_dark": Text("too dark", "너무 어두움"),
    "gate_not_a_scalp": Text("not like a scalp", "두피와 다름"),
    "gate_passed": Text(
        "✓ Quality check passed: sharp and bright enough, and like the pictures that the model learned from.",
        "✓ 품질 검사 통과: 선명도와 밝기가 충분하고, 모델이 학습한 사진들과 비슷해요.",
    ),
    "gate_unchecked": Text(
        "Nobody checked whether this picture can be graded: the run that answers has no quality check. Run "
        "`python -m training.calibrate` to give it one.",
        "이 사진의 등급을 추정해도 되는지 검사하지 않았어요. 응답하는 실행에 품질 검사가 없어요. `python -m training.calibrate`로 "
        "만들 수 있어요.",
    ),
    "gate_advises": Text(
        "The quality check advises against grading this picture.",
        "품질 검사에서 걸린 사진이에요. 등급을 추정하지 않는 편이 좋아요.",
    ),
    "gate_insist": Text("Grade it nevertheless", "그래도 등급 추정"),
    "gate_insisted": Text(
        "Graded although the quality check advises against it. Do not rely on these grades.",
        "품질 검사에서 걸렸으나 요청에 따라 추정했어요. 이 등급은 신뢰하지 마세요.",
    ),
    # diagnose: evidence
    "evidence_whole_against": Text("against the grade", "등급에 반대"),
    "evidence_whole_for": Text("for the grade", "등급을 뒷받침"),
    "evidence_within_against": Text("less than elsewhere", "다른 곳보다 약함"),
    "evidence_within_for": Text("more than elsewhere", "다른 곳보다 강함"),
    "evidence_scale": Text(
        "Logits: the grade's score at this place, less the mean of the other three grades' scores.",
        "로짓: 그 위치에서 해당 등급의 점수에서 나머지 세 등급 점수의 평균을 뺀 값이에요.",
    ),
    # diagnose: beside the answer
    "agreement": Text("What all architectures say of this picture", "모든 모델 구조의 의견"),
    "agreement_note": Text(
        "The best finished run of each architecture, each by its own operating point. Beside the number: the calibrated "
        "probability of that grade.",
        "모델 구조마다 가장 좋은 실행이 각자의 운영점으로 판정한 등급이에요. 숫자 아래는 그 등급의 보정된 확률이에요.",
    ),
    "agreement_ringed": Text("answers for this condition", "이 증상에 응답하는 모델"),
    "agreement_of": Text("{agreeing} of {others} others agree", "다른 {others}개 중 {agreeing}개 일치"),
    "nearest": Text(
        "The most similar pictures of the data set, with labels", "데이터 세트에서 가장 비슷한 사진과 라벨"
    ),
    "nearest_note": Text(
        "The pictures of “{data}” whose features lie nearest to those of this picture, as {run} sees them, among a "
        "sample of {count:,}. Distance: 1 − cosine, 0 is the same direction.",
        "“{data}”에서 뽑은 {count:,}장 가운데 {run}의 특징 공간에서 이 사진과 가장 가까운 사진이에요. 거리는 1 − 코사인이며, 0이면 방향이 "
        "같아요.",
    ),
    "nearest_this": Text("This picture", "이 사진"),
    "nearest_this_note": Text("estimated grades", "추정 등급"),
    "nearest_labels": Text("The nearest, with their labels", "가까운 사진과 그 라벨"),
    "nearest_distance": Text("distance {distance} · {part}", "거리 {distance} · {part}"),
    "nearest_none": Text("The data set has no other picture to compare with.", "비교할 다른 사진이 없어요."),
    # diagnose: taken along
    "parity_working": Text("Asking REST about the same picture …", "같은 사진을 REST로 확인하는 중 …"),
    "parity_rest": Text(
        "Same answer from REST (largest difference of a probability: {difference}).",
        "REST의 답과 같아요 (확률의 최대 차이: {difference}).",
    ),
    "parity_rest_other": Text(
        "REST decides otherwise (largest difference of a probability: {difference}).",
        "REST의 판정과 달라요 (확률의 최대 차이: {difference}).",
    ),
    "parity_torch": Text(
        "The export that answers differs from the trained network by {difference}.",
        "응답하는 내보낸 모델과 학습된 모델의 차이: {difference}",
    ),
    "parity_untold": Text(
        "How far the export lies from the trained network was not written down.",
        "내보낸 모델과 학습된 모델의 차이는 기록되어 있지 않아요.",
    ),
    "parity_refused": Text("REST could not be compared:", "REST와 비교하지 못했어요:"),
    "download_json": Text("Download as JSON", "JSON 내려받기"),
    "download_csv": Text("Download as CSV", "CSV 내려받기"),
    "download_report": Text("Printable report (HTML)", "인쇄용 보고서 (HTML)"),
    "download_csv_all": Text("All as CSV", "전체 CSV"),
    "download_report_all": Text("All as a printable report (HTML)", "전체 인쇄용 보고서 (HTML)"),
    "download_note": Text(
        "Files are made when you ask for them. The report holds the picture itself; nothing of it stays here.",
        "파일은 요청할 때 만들어져요. 보고서에는 사진이 들어 있으며 서버에는 남지 않아요.",
    ),
    "client": Text("What a program gets", "프로그램이 받는 응답"),
    "client_note": Text(
        "The same answer by REST. `?strict=1` refuses pictures that should not be graded, `?evidence=1` adds the maps.",
        "REST로도 같은 답을 받아요. `?strict=1`이면 추정하지 않는 편이 좋은 사진을 거절하고, `?evidence=1`이면 근거 지도를 함께 "
        "보내요.",
    ),
    # runs
    "runs_none": Text("There is no run yet.", "아직 실행이 없어요."),
    "runs_damaged": Text("damaged", "손상됨"),
    "state": Text("State", "상태"),
    "conditions": Text("Conditions", "증상"),
    "created": Text("Asked for (UTC)", "요청 시각 (UTC)"),
    "epochs_done": Text("Epochs", "에폭"),
    "mean_qwk": Text("Best QWK validation", "최고 검증 QWK"),
    "runs_choose": Text("Run in depth", "자세히 볼 실행"),
    "cancel": Text("Cancel", "취소"),
    "pause": Text("Pause", "일시 정지"),
    "resume": Text("Go on", "이어서 학습"),
    "runs_curves": Text("Curves", "곡선"),
    "runs_recipe_whole": Text("The whole recipe", "학습 설정 전체"),
    "runs_special": Text("What is special about this run", "이 실행에서 달라진 설정"),
    "runs_nothing_special": Text("Every setting is the default one.", "모든 설정이 기본값이에요."),
    "setting": Text("Setting", "설정"),
    "setting_here": Text("Here", "이 실행"),
    "setting_default": Text("Default", "기본값"),
    "verdict": Text("Against the runs that answer now", "지금 사용 중인 실행과 비교"),
    "verdict_note": Text(
        "Difference in QWK on the validation part, with the 95 % interval of the paired bootstrap over captures. Within "
        "±0.02 counts as practically equal.",
        "검증 분할의 QWK 차이와, 촬영 단위 짝지은 부트스트랩의 95 % 구간이에요. ±0.02 이내는 사실상 같다고 봐요.",
    ),
    "verdict_answers": Text("this run answers now", "지금 이 실행을 사용 중"),
    "verdict_promoted": Text("this run answers now, promoted", "지금 이 실행을 사용 중 (지정됨)"),
    "verdict_nobody": Text("no run answers yet", "아직 사용 중인 실행 없음"),
    "verdict_against": Text("{difference} against {run}: {verdict}", "{run} 대비 {difference}: {verdict}"),
    "verdict_no_interval": Text(
        "{difference} against {run}; too few captures for an interval",
        "{run} 대비 {difference}. 촬영이 너무 적어 구간을 계산할 수 없음",
    ),
    "verdict_unlabelled": Text(
        "no labels in the validation part to compare with {run} on", "검증 분할에 {run} 실행과 비교할 라벨이 없음"
    ),
    "promote": Text("Promote", "이 실행으로 지정"),
    "promote_back": Text("Back to the automatic choice", "자동 선택으로 되돌리기"),
    "promote_done": Text("{run} answers for {condition} from now on.", "이제 {condition}에는 {run} 실행을 사용해요."),
    "promote_automatic": Text("{condition}: back to the automatic choice.", "{condition}: 자동 선택으로 되돌렸어요."),
    "promote_log": Text("Promotions so far", "지정 기록"),
    "promote_time": Text("Time (UTC)", "시각 (UTC)"),
    "promote_before": Text("Answered before", "이전 실행"),
    "promote_after": Text("Answers since", "이후 실행"),
    "promote_kind": Text("Kind", "구분"),
    "promote_pinned": Text("promoted", "지정"),
    "promote_unpinned": Text("automatic again", "자동으로 되돌림"),
    "promote_why": Text("Verdict at the time", "당시 판정"),
    "point": Text("Operating point: how probabilities become grades", "판정 기준: 확률을 등급으로 바꾸는 방법"),
    "point_note": Text(
        "Fitted on the calibration part. Figures are of the validation part: most probable grade of the network as "
        "trained → decided now. Sets are of the test part.",
        "보정 분할에서 맞추었어요. 수치는 검증 분할 기준이며, 학습된 그대로 가장 높은 확률의 등급 → 지금의 판정이에요. 범위는 "
        "테스트 분할 기준이에요.",
    ),
    "point_none": Text(
        "Nothing is fitted: the most probable grade is decided. Fitting takes {count} labelled pictures of two grades in "
        "the calibration part.",
        "맞춘 것이 없어 확률이 가장 높은 등급을 골라요. 맞추려면 보정 분할에 두 등급 이상의 라벨 있는 사진이 {count}장 "
        "필요해요.",
    ),
    "point_temperature": Text("Temperature", "온도"),
    "point_rule": Text("Rule", "규칙"),
    "point_tau": Text("Strength for rare grades (τ)", "드문 등급 보강 (τ)"),
    "point_error": Text("Calibration error ↓", "보정 오차 ↓"),
    "point_sets": Text("{coverage} ranges hold the label", "{coverage} 범위의 라벨 포함률"),
    "point_size": Text("Grades in a range", "범위의 등급 수"),
    "point_unfitted": Text("not fitted", "맞추지 않음"),
    "rule_argmax": Text("most probable", "최대 확률"),
    "rule_median": Text("median", "중앙값"),
    "rule_expected_cost": Text("least expected cost", "기대 비용 최소"),
    "point_fit": Text("Fit anew", "다시 맞추기"),
    "point_fitted": Text(
        "Fitted anew. Grades are decided by it from now on.", "다시 맞췄어요. 이제 이 기준으로 판정해요."
    ),
    "point_why": Text("fitted anew on the Training runs page", "학습 실행 화면에서 다시 맞춤"),
    "point_versions": Text("Versions", "버전"),
    "point_made": Text("Made (UTC)", "정한 시각 (UTC)"),
    "point_occasion": Text("Occasion", "계기"),
    "point_now": Text("in force", "사용 중"),
    "ablation": Text("Which measure does what", "어떤 조치가 무엇을 바꾸는가"),
    "ablation_note": Text(
        "A ladder from plain cross-entropy to the chosen settings. Each step adds one measure, is trained on the same "
        "pictures with the same seeds, and is judged on the test part against the step before it.",
        "단순한 교차 엔트로피에서 고른 설정까지 한 단계에 하나씩 조치를 더하고, 같은 사진과 같은 시드로 학습해 테스트 분할에서 바로 앞 "
        "단계와 비교해요.",
    ),
    "ablation_like": Text("Settings of", "기준 설정"),
    "ablation_defaults": Text("the defaults", "기본값"),
    "ablation_networks": Text("Networks", "모델"),
    "ablation_alone": Text("for this condition alone", "이 증상만"),
    "ablation_shared": Text("shared by all six", "여섯 증상 공유"),
    "ablation_seeds": Text("Seeds", "시드 수"),
    "ablation_step": Text("Step", "단계"),
    "ablation_does": Text("What it does", "내용"),
    "ablation_done": Text("Trained", "완료"),
    "ablation_plan": Text(
        "{networks} networks, {missing} still to train.", "모델 {networks}개 가운데 학습할 것 {missing}개."
    ),
    "ablation_time": Text("All in all {time} on this machine.", "이 컴퓨터에서 모두 {time}."),
    "ablation_start": Text("Train what is missing", "남은 것 학습"),
    "ablation_started": Text("{count} runs are in the queue.", "실행 {count}개가 대기열에 있어요."),
    "ablation_verdict": Text("Against the step before", "앞 단계 대비"),
    "ablation_difference": Text("QWK difference", "QWK 차이"),
    "ablation_recall": Text("Worst recall difference", "최저 재현율 차이"),
    "ablation_alt": Text("What each step reaches, with intervals", "단계별 결과와 구간"),
    "ablation_aside": Text(
        "In brackets: steps aside, judged against the end of the ladder.",
        "괄호 안은 사다리의 끝과 비교한 곁가지 단계예요.",
    ),
    "runs_manifest": Text("Manifest: hashes, versions, device", "매니페스트: 해시, 버전, 장치"),
    "runs_files": Text("Files", "파일"),
    "runs_log": Text("Log", "로그"),
    "file": Text("File", "파일"),
    "size_kb": Text("kB", "kB"),
    "empty_log": Text("Nothing was printed yet.", "아직 출력이 없어요."),
    "no_epoch": Text("No epoch has finished yet.", "아직 끝난 에폭이 없어요."),
    "phase_preparing": Text("preparing pictures", "사진 준비 중"),
    "phase_training": Text("epoch {epoch} of {epochs}", "에폭 {epoch}/{epochs}"),
    "phase_grading": Text("grading the validation and test pictures", "검증·테스트 사진 등급 추정 중"),
    "phase_stopping": Text("stopping", "멈추는 중"),
    "phase_queued": Text("waiting in the queue", "대기 중"),
    "phase_starting": Text("starting", "시작하는 중"),
    "live_reached": Text(
        "QWK {qwk} (best {best} in epoch {epoch}) · loss {loss}", "QWK {qwk} (최고 {best}, 에폭 {epoch}) · 손실 {loss}"
    ),
    "live_patience": Text("stops after {count} more epochs without improvement", "{count}에폭 더 나아지지 않으면 멈춤"),
    "live_at_once": Text("memory ran short: {count} pictures pass at once", "메모리 부족으로 한 번에 {count}장씩 처리"),
    "time_left": Text("about {minutes} min {seconds:02d} s left", "약 {minutes}분 {seconds:02d}초 남음"),
    # retraining
    "retrain": Text("Retrain", "재학습"),
    "retrain_start": Text("Start training", "학습 시작"),
    "retrain_six": Text("all six", "여섯 가지 모두"),
    "retrain_advanced": Text("Advanced", "고급 설정"),
    "retrain_other": Text("Another timm architecture", "다른 timm 모델 구조"),
    "retrain_start_from": Text("Start from", "시작점"),
    "retrain_pretrained": Text("pretrained weights", "사전 학습 가중치"),
    "retrain_random": Text("random weights", "무작위 가중치"),
    "retrain_of_run": Text("run {run}", "{run} 실행"),
    "retrain_file": Text("Weights file (safetensors)", "가중치 파일 (safetensors)"),
    "retrain_file_help": Text(
        "Whole path of a file on the server with the backbone's weights; it goes before what is chosen above.",
        "백본 가중치 파일의 서버 경로. 입력하면 위의 시작점 대신 사용해요.",
    ),
    "retrain_weights_help": Text(
        "One number for each of the six in their order, with commas between; empty: all alike.",
        "여섯 증상 순서대로 쉼표로 구분한 숫자. 비우면 모두 같아요.",
    ),
    "retrain_started": Text("Asked for run {run}.", "{run} 실행을 요청했어요."),
    "retrain_already": Text(
        "Just this training is under way already: run {run}.", "같은 학습이 이미 진행 중이에요: {run} 실행."
    ),
    "drawn": Text("How often grades are drawn", "등급별 추출 비율"),
    "drawn_note": Text(
        "Share of each grade in the training part, in percent: as labelled → as drawn.",
        "학습 분할의 등급별 비율(%): 라벨 그대로 → 뽑히는 비율.",
    ),
    "drawn_same": Text(
        "Share of each grade in the training part, in percent; pictures are drawn as they are.",
        "학습 분할의 등급별 비율(%). 사진을 있는 그대로 뽑아요.",
    ),
    "estimate_unknown": Text(
        "How long it takes has not been measured on this machine yet.",
        "이 컴퓨터에서 걸리는 시간을 아직 재지 않았어요.",
    ),
    "estimate_measure": Text("Measure (about 20 s)", "측정하기 (약 20초)"),
    "estimate_measuring": Text("Measuring …", "측정하는 중 …"),
    "estimate_here": Text("{time} on this machine", "이 컴퓨터에서 {time}"),
    "retrain_more": Text("{count} more waiting", "{count}개 더 대기 중"),
    "retrain_last": Text("Last: {run}: {state}", "최근: {run}: {state}"),
    "epochs": Text("Epochs", "에폭 수"),
    "image_size": Text("Image size, pixels", "입력 크기, 픽셀"),
    "batch_size": Text("Batch size", "배치 크기"),
    "lr": Text("Learning rate", "학습률"),
    "weight_decay": Text("Weight decay", "가중치 감쇠"),
    "warmup_epochs": Text("Warm-up epochs", "워밍업 에폭"),
    "augmentation": Text("Augmentation", "데이터 증강"),
    "precision": Text("Precision", "연산 정밀도"),
    "seed": Text("Seed", "난수 시드"),
    "learns": Text("What learns", "학습할 부분"),
    "frozen_epochs": Text("Epochs of the head alone", "출력층만 학습하는 에폭"),
    "layer_decay": Text("Rate from layer to layer", "층별 학습률 비율"),
    "loss": Text("Loss", "손실 함수"),
    "sampling": Text("Rare grades are drawn", "드문 등급 추출"),
    "grade_weights": Text("Labels of rare grades weigh", "드문 등급의 손실 가중치"),
    "condition_weights": Text("Weights of the conditions", "증상별 가중치"),
    "mixup": Text("Mix-up", "믹스업"),
    "ema": Text("Averaging of weights", "가중치 이동 평균"),
    "patience": Text("Patience, epochs", "조기 종료 대기 에폭"),
    "recall_floor": Text("Worst-grade recall to keep", "최저 등급 재현율 하한"),
    "colours": Text("Colours", "색 처리"),
    "choice_learns_everything": Text("everything", "전체"),
    "choice_learns_head": Text("the head alone (quick)", "출력층만 (빠름)"),
    "choice_loss_cross_entropy": Text("cross-entropy", "교차 엔트로피"),
    "choice_loss_smoothed": Text("smoothed labels", "라벨 스무딩"),
    "choice_loss_triangular": Text("soft labels, triangular", "이웃 등급에 분배 (삼각)"),
    "choice_loss_beta": Text("soft labels, beta", "이웃 등급에 분배 (베타)"),
    "choice_loss_distance_weighted": Text("distance-weighted (CDW-CE)", "거리 가중 (CDW-CE)"),
    "choice_sampling_none": Text("as they are", "있는 그대로"),
    "choice_sampling_square_root": Text("more often (square root)", "더 자주 (제곱근)"),
    "choice_sampling_full": Text("equally often (full balance)", "똑같이 (완전 균형)"),
    "choice_grade_weights_none": Text("like all others", "다른 등급과 같게"),
    "choice_grade_weights_square_root": Text("more (square root)", "더 크게 (제곱근)"),
    "choice_grade_weights_full": Text("fully balanced", "완전 균형"),
    "choice_colours_auto": Text("automatic", "자동"),
    "choice_colours_plain": Text("plain", "채널별 정규화"),
    "choice_colours_whitened": Text("whitened", "색 균등화"),
    "choice_augmentation_standard": Text("standard", "표준"),
    "choice_augmentation_none": Text("none", "없음"),
    "choice_precision_auto": Text("automatic", "자동"),
    "choice_precision_full": Text("full (float32)", "단정밀도 (float32)"),
    "choice_precision_bfloat16": Text("bfloat16", "반정밀도 (bfloat16)"),
    "empty_setting": Text("none", "없음"),
    # grade sets
    "grade_set": Text("{coverage} range", "{coverage} 범위"),
    "grade_range": Text("{low} to {high}", "{low}부터 {high}까지"),
    "grade_set_note": Text(
        "The range holds the label in {coverage} of pictures like those the model was calibrated on.",
        "보정에 사용한 것과 비슷한 사진이라면 {coverage}에서 실제 라벨이 이 범위 안에 있어요.",
    ),
}
