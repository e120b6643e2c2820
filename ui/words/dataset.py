"""Texts of the dataset page: filters, pictures, label statistics, embedding map, audit."""

from scalp_core import terms
from scalp_core.errors import Text
from scalp_core.terms import capitalized

WORDS = {
    "view": Text("View", "보기"),
    "view_pictures": Text("Pictures", "사진"),
    "view_labels": Text("Labels", "라벨"),
    "view_map": Text("Map", "지도"),
    "view_audit": Text("Audit", "점검"),
    "view_review": Text("Label review", "라벨 검수"),
    "review_list": Text("List", "목록"),
    "review_list_suspects": Text("Suspects", "의심 라벨"),
    "review_list_second": Text("Second reading", "두 번째 판독"),
    "review_list_conflicts": Text("Conflicts", "불일치"),
    "review_reader": Text("Reader", "판독자"),
    "review_blind": Text(
        "Label, models and other readers are hidden.", "라벨과 모델, 다른 판독자의 등급은 보이지 않아요."
    ),
    "review_begin": Text("Write your name to begin.", "이름을 적으면 시작해요."),
    "review_progress": Text(
        "{waiting:,} waiting · {done:,} done by you", "남은 사진 {waiting:,}장 · 내가 판독한 사진 {done:,}장"
    ),
    "review_none_suspects": Text(
        "No suspects: no model that did not learn from these pictures contradicts a label, or all are done.",
        "의심 라벨이 없어요. 이 사진을 학습하지 않은 모델이 없거나 모두 판독했어요.",
    ),
    "review_none_second": Text("Nothing that only others have graded.", "다른 판독자만 판독한 사진이 없어요."),
    "review_none_conflicts": Text("No conflicts.", "불일치가 없어요."),
    "review_picture": Text("Picture to grade", "판독할 사진"),
    "review_question": Text("{condition}: which grade?", "{condition}: 어느 등급인가요?"),
    "review_contradiction": Text(
        "Readers said: {grades}. Your grade settles it.", "판독: {grades}. 선택한 등급으로 정해져요."
    ),
    "review_skip": Text("Skip", "건너뛰기"),
    "review_undo": Text("Undo", "되돌리기"),
    "review_undone": Text("Taken back.", "되돌렸어요."),
    "review_nothing_to_undo": Text("Nothing to take back.", "되돌릴 것이 없어요."),
    "review_outcome": Text("Outcome", "결과"),
    "review_count_settled": Text("{count:,} settled", "확정 {count:,}건"),
    "review_count_agreed": Text("{count:,} agreed", "일치 {count:,}건"),
    "review_count_single": Text("{count:,} by one reader", "한 명만 판독 {count:,}건"),
    "review_count_conflict": Text("{count:,} conflicts", "불일치 {count:,}건"),
    "review_agreement": Text("Agreement of readers", "판독자 간 일치도"),
    "review_first": Text("Reader", "판독자"),
    "review_second_reader": Text("Other reader", "다른 판독자"),
    "review_kappa": Text("Weighted kappa", "가중 카파"),
    "review_log": Text("Log (CSV)", "기록 (CSV)"),
    "review_name": Text("Name of the reviewed dataset", "검수한 데이터셋 이름"),
    "review_make": Text("Make reviewed dataset", "검수한 데이터셋 만들기"),
    "review_make_note": Text(
        "The same pictures and splits with the reviewed labels of all conditions. This dataset and its runs stay as they "
        "are.",
        "사진과 분할은 같고 검수한 라벨(모든 증상)이 들어가요. 이 데이터셋과 실행은 그대로 남아요.",
    ),
    "review_made": Text("Made “{name}”.", "“{name}” 데이터셋을 만들었어요."),
    "view_import": Text("Import", "가져오기"),
    "dataset_size": Text(
        "{images:,} pictures · {captures:,} captures · {sites:,} sites",
        "사진 {images:,}장 · 촬영 {captures:,}건 · 기관 {sites:,}곳",
    ),
    "dataset_of": Text("(of {whole:,} pictures)", "(전체 {whole:,}장)"),
    "export_csv": Text("Download as CSV", "CSV 내려받기"),
    "dataset_none": Text("No pictures match. Widen a filter.", "조건에 맞는 사진이 없어요. 필터를 넓혀 보세요."),
    # filters
    "filters_all": Text("All filters", "모든 필터"),
    "filters_clear": Text("Clear", "지우기"),
    "facet_entry": Text("{facet}: {value}, {count:,} pictures", "{facet}: {value}, 사진 {count:,}장"),
    "filters_note": Text(
        "All filters apply; within one filter any value matches.",
        "필터는 모두 만족해야 하고, 한 필터 안의 값은 하나만 맞으면 돼요.",
    ),
    "filters_any": Text("any", "전체"),
    "filters_text": Text("File name contains", "파일 이름에 포함"),
    "filters_alike": Text("Near-duplicates only", "거의 같은 사진만"),
    "field_id": Text("Name", "이름"),
    "field_part": capitalized(terms.SPLIT),
    "field_region": capitalized(terms.REGION),
    "field_device": capitalized(terms.CAMERA),
    "field_site": capitalized(terms.SITE),
    "field_capture": capitalized(terms.CAPTURE),
    "field_official": Text("Published split", "배포처 분할"),
    "official_train": terms.SPLITS["train"],
    "official_valid": terms.SPLITS["valid"],
    "official_calib": terms.SPLITS["calib"],
    "official_test": terms.SPLITS["test"],
    "official_both": Text("both", "둘 다"),
    "field_sharpness": Text("Sharpness", "선명도"),
    "field_lightness": Text("Lightness (L*)", "명도 (L*)"),
    "field_clipped": Text("Clipped area", "명암 손실 비율"),
    "field_cast_red": Text("Red cast (a*)", "붉은 기 (a*)"),
    "field_cast_yellow": Text("Yellow cast (b*)", "노란 기 (b*)"),
    "field_bytes": Text("File size", "파일 크기"),
    "field_width": Text("Width", "너비"),
    "field_height": Text("Height", "높이"),
    "field_look_alikes": capitalized(terms.NEAR_DUPLICATES),
    "unknown": terms.UNKNOWN,
    # pictures
    "sort_by": Text("Sort by", "정렬 기준"),
    "sort_order": Text("Order", "순서"),
    "sort_up": Text("ascending", "오름차순"),
    "sort_down": Text("descending", "내림차순"),
    "rendered_as": Text("Rendered severity", "렌더링한 심각도"),
    "confusers": Text("Artefacts", "방해 요소"),
    "confuser_bubbles": Text("bubbles", "기포"),
    "confuser_motion": Text("motion blur", "흔들림"),
    "confuser_defocus": Text("out of focus", "초점 흐림"),
    "confuser_dye": Text("dye stains", "염색약 얼룩"),
    "confuser_blood": Text("blood, crusts", "핏자국·딱지"),
    "confuser_over_exposed": Text("over-exposed corner", "과다 노출된 모서리"),
    "confuser_front_hair": Text("hair before the lens", "렌즈 앞의 머리카락"),
    "confuser_full_of_hair": Text("hair all over", "화면을 덮은 머리카락"),
    "look_alikes": capitalized(terms.NEAR_DUPLICATES),
    "same_capture": Text("Same capture", "같은 촬영의 사진"),
    "grade_this": Text("Grade this picture", "이 사진의 등급 추정"),
    # label statistics
    "dataset_counts": Text("Labels by condition, grade and split", "증상·등급·분할별 라벨 수"),
    "count_what": Text("Count", "세는 단위"),
    "count_images": Text("pictures", "사진"),
    "count_captures": Text("captures", "촬영"),
    "count_sites": Text("sites", "기관"),
    "dataset_table": Text("As a table", "표로 보기"),
    "all_parts": Text("all splits", "전체"),
    "spearman": Text("Rank correlation of labels", "라벨의 순위 상관"),
    "spearman_note": Text(
        "Spearman's rank correlation over pictures with both labels.",
        "두 증상 모두 라벨이 있는 사진의 스피어만 순위 상관이에요.",
    ),
    "cooccurrence": Text("Co-occurrence of conditions", "증상의 동시 발생"),
    "cooccurrence_note": Text(
        "Share of the pictures with the row's condition (grade 1 or higher) that also have the column's.",
        "행의 증상이 있는(1등급 이상) 사진 가운데 열의 증상도 있는 비율이에요.",
    ),
    "by_field": Text("Grades of {condition}", "{condition} 등급 분포"),
    "by_what": Text("By", "기준"),
    "by_nothing": Text("None of these pictures has a label.", "라벨이 있는 사진이 없어요."),
    # embedding map
    "map_run": Text("Features of run", "특징을 뽑을 실행"),
    "map_colour": Text("Colour", "색"),
    "map_sample": Text("Max. pictures", "최대 사진 수"),
    "map_few": Text("Too few pictures for a map.", "지도를 그리기에 사진이 너무 적어요."),
    "map_settings": Text("Map settings", "지도 설정"),
    "map_layout": Text("Layout", "배치"),
    "map_tsne": Text("t-SNE: neighbours stay together", "t-SNE: 비슷한 사진끼리"),
    "map_ranks": Text("Ranks of principal components", "주성분 순위"),
    "map_placing": Text("Placing the pictures…", "사진을 배치하고 있어요…"),
    "map_note_tsne": Text(
        "{count:,} pictures, t-SNE of the features of {run}; rare grades oversampled. Click a point or drag a box.",
        "사진 {count:,}장, {run} 특징의 t-SNE, 드문 등급은 오버샘플링했어요. 점을 누르거나 상자를 그려 보세요.",
    ),
    "map_note_ranks": Text(
        "{count:,} pictures by rank in the first two principal components of the features of {run}; rare grades "
        "oversampled. Click a point or drag a box.",
        "사진 {count:,}장, {run} 특징의 주성분 두 개에서의 순위, 드문 등급은 오버샘플링했어요. 점을 누르거나 상자를 "
        "그려 보세요.",
    ),
    "map_alt": Text("Embedding map of pictures", "사진의 임베딩 지도"),
    "dataset_shown": Text("{count:,} pictures selected.", "사진 {count:,}장 선택됨."),
    # renaming and deleting
    "manage_data_name_help": Text(
        "Lower-case letters, digits, “_” and “-”. Programs and links that name the dataset do not follow.",
        "영문 소문자, 숫자, “_”, “-”. 데이터셋 이름을 쓰는 프로그램과 링크는 직접 고쳐야 해요.",
    ),
    "manage_data_named": Text(
        "Learned from it under this name: {count} runs ({runs}). Comparisons go on under any name, but a training that "
        "was stopped can be resumed only under this one.",
        "이 데이터셋으로 학습한 실행 {count}개에는 지금 이름이 그대로 남아요: {runs}. 비교는 계속할 수 있지만, 멈춘 학습은 "
        "이 이름일 때만 재개할 수 있어요.",
    ),
    "manage_data_renamed": Text("{before} is now {after}.", "{before} 데이터셋의 이름을 {after}(으)로 바꿨어요."),
    "manage_data_question": Text(
        "Delete {data}? This frees {size} and cannot be undone.",
        "{data} 데이터셋을 삭제할까요? {size}를 비우며 되돌릴 수 없어요.",
    ),
    "manage_data_pictures": Text(
        "{images:,} pictures are lost with their labels.", "사진 {images:,}장과 라벨이 모두 없어져요."
    ),
    "manage_data_source": Text(
        "The labels and splits of {images:,} pictures are lost; the pictures in {folder} stay.",
        "사진 {images:,}장의 라벨과 분할이 없어져요. {folder} 폴더의 사진은 그대로 남아요.",
    ),
    "manage_data_runs": Text(
        "{count} runs learned from it or are judged on it: {runs}. Their weights, predictions and figures stay; the "
        "pictures are gone, so they are not compared any more.",
        "이 데이터셋으로 학습하거나 평가한 실행이 {count}개 있어요: {runs}. 가중치와 예측, 수치는 남지만 사진이 없어져 더는 비교할 수 "
        "없어요.",
    ),
    "manage_data_deleted": Text("Deleted {data}; {size} freed.", "{data} 데이터셋을 삭제해 {size}를 비웠어요."),
    # audit
    "audit_note": Text("Over all pictures, whatever the filters.", "필터와 관계없이 모든 사진을 점검해요."),
    "audit_fine": Text("No problems: {count} checks", "이상 없음: {count}개 항목"),
    "audit_back": Text("All findings", "모든 점검 결과"),
    "audit_severity": Text("Severity", "심각도"),
    "audit_finding": Text("Finding", "점검 결과"),
    "audit_share": Text("Share", "비율"),
    "audit_examples": Text("Examples", "예시"),
    "audit_show": Text("Show these", "사진 보기"),
    "audit_details": Text("Details", "자세히"),
    "audit_first": Text("The clearest {count:,} pictures.", "가장 뚜렷한 사진 {count:,}장이에요."),
}
