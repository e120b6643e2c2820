"""Texts of the import view of the dataset page."""

from scalp_core import terms
from scalp_core.errors import Text
from scalp_core.terms import capitalized

WORDS = {
    "moved": Text("The folder of these pictures is gone: {folder}", "이 사진들의 폴더가 없어졌어요: {folder}"),
    "moved_to": Text("Where it is now, on the server", "서버에서의 새 위치"),
    "moved_apply": Text("Read from there", "여기에서 읽기"),
    "split_how": Text("Split method", "분할 방법"),
    "split_anew": Text(
        "To split again (earlier runs are then no longer comparable):",
        "다시 나누는 명령 (이전 실행과는 비교할 수 없게 돼요):",
    ),
    "import_report": Text("Import report", "가져오기 보고서"),
    "import_facts": Text(
        "{images:,} pictures from {files:,} files, {labels:,} labels. {created}, {seconds:,.0f} s.",
        "파일 {files:,}개에서 사진 {images:,}장, 라벨 {labels:,}개. {created}, {seconds:,.0f}초.",
    ),
    "import_faultless": Text("No problems found.", "문제가 없었어요."),
    "import_faults": Text("All problems as CSV", "전체 문제 목록 CSV"),
    "fault_name": Text("Name", "이름"),
    "fault_where": Text("Where", "위치"),
    "fault_detail": Text("Detail", "자세히"),
    "import_new": Text("Import pictures", "사진 가져오기"),
    "import_note": Text(
        "From a folder below {folder} on the server. Nothing is uploaded; the folder is only read. On the command "
        "line: `python -m training.prepare aihub FOLDER --name NAME`.",
        "서버의 {folder} 아래 폴더에서 가져와요. 업로드하지 않고 읽기만 해요. 명령줄: "
        "`python -m training.prepare aihub FOLDER --name NAME`.",
    ),
    "import_not_here": Text(
        "On this server pages import nothing. Set `SCALP_IMPORT_FROM` to a folder and they import from below it; the "
        "command line imports from anywhere:",
        "이 서버의 화면에서는 가져올 수 없어요. `SCALP_IMPORT_FROM`에 폴더를 지정하면 그 아래에서 가져올 수 있고, "
        "명령줄에서는 어디서든 가져올 수 있어요.",
    ),
    "import_kind": Text("Format", "형식"),
    "import_kind_aihub": Text("AI Hub 216 as published (zip or unpacked)", "AI Hub 216 원본 (zip 또는 압축을 푼 폴더)"),
    "import_kind_folders": Text("Class folders: condition/grade/…", "등급 폴더: 증상/등급/…"),
    "import_kind_csv": Text("Pictures and a table of labels (CSV, .xlsx)", "사진과 라벨 표 (CSV, .xlsx)"),
    "import_source": Text("Folder on the server", "서버의 폴더"),
    "import_source_help": Text(
        "Absolute path. For AI Hub: the folder that contains Training and Validation.",
        "절대 경로. AI Hub는 Training과 Validation이 들어 있는 폴더예요.",
    ),
    "import_table": Text("Table on the server (CSV, .xlsx)", "서버의 표 파일 (CSV, .xlsx)"),
    "import_columns": Text("Column mapping, if names are ambiguous", "열 지정 (이름으로 알 수 없을 때)"),
    "import_columns_help": Text(
        "One a line, field=column: image=file, value_6=loss, site=clinic, capture=visit.",
        "한 줄에 하나씩 항목=열이름: image=파일, value_6=탈모점수, site=기관, capture=촬영.",
    ),
    "import_name": Text("Dataset name (a–z, 0–9, - and _)", "데이터셋 이름 (a–z, 0–9, -, _)"),
    "import_by": capitalized(terms.SPLIT),
    "import_automatic": Text("by site if possible (recommended)", "가능하면 기관별 (권장)"),
    "import_extract": Text("Copy pictures into the dataset", "사진을 데이터셋으로 복사"),
    "import_start": Text("Import", "가져오기"),
    "import_whole_path": Text(
        "Enter absolute paths for the folder and the table.", "폴더와 표 파일은 절대 경로로 입력하세요."
    ),
    "import_started": Text("Importing {name}", "{name} 가져오는 중"),
    "import_stop": Text("Stop", "중지"),
    "import_dismiss": Text("Dismiss", "닫기"),
}
