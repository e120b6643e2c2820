"""Texts of the comparison page: leaderboard, confusion matrices, differences, best models, one picture."""

from scalp_core import terms
from scalp_core.errors import Text
from scalp_core.terms import capitalized

WORDS = {
    "compare_runs": Text("Models", "모델"),
    "compare_metric": capitalized(terms.METRIC),
    "compare_not_test": Text(
        "This split was used for selection, early stopping or calibration, so results look too good. Report the test "
        "split.",
        "모델 선택·조기 종료·보정에 쓴 분할이라 결과가 실제보다 좋게 나와요. 보고에는 테스트 분할을 쓰세요.",
    ),
    "compare_synthetic": Text(
        "Learned from synthetic pictures, themselves or through the runs they started from: {runs}.",
        "직접 또는 출발점이 된 실행을 통해 합성 사진으로 학습한 실행: {runs}.",
    ),
    "compare_models": Text("{count} models", "모델 {count}개"),
    "short_fine_scaling": terms.CONDITION_NAMES["fine_scaling"],
    "short_excess_sebum": terms.CONDITION_NAMES["excess_sebum"],
    "short_erythema": Text("erythema", "모낭사이홍반"),
    "short_pustules": Text("pustules", "홍반/농포"),
    "short_dandruff": terms.CONDITION_NAMES["dandruff"],
    "short_hair_loss": terms.CONDITION_NAMES["hair_loss"],
    "compare_view": Text("View", "보기"),
    "view_leaderboard": Text("Leaderboard", "리더보드"),
    "view_wall": Text("Confusion matrices", "혼동 행렬"),
    "view_differences": Text("Differences", "모델 간 차이"),
    "view_decision": capitalized(terms.OPERATING_POINT),
    "view_best": Text("Best per condition", "증상별 최고 모델"),
    "compare_choose": Text("Select at least one model.", "모델을 하나 이상 고르세요."),
    "compare_none": Text(
        "No finished run was judged on “{data}”. Start one in the sidebar, or judge one of another dataset below.",
        "“{data}” 데이터셋으로 평가한 완료된 실행이 없어요. 사이드바에서 학습을 시작하거나, 아래에서 다른 데이터셋의 실행을 "
        "평가하세요.",
    ),
    "compare_no_model": Text(
        "None of the selected models grades this condition.", "고른 모델 중 이 증상을 추정하는 모델이 없어요."
    ),
    "compare_left_out": Text(
        "{count} finished runs cannot be compared here", "여기서 비교할 수 없는 완료된 실행 {count}개"
    ),
    "compare_judge_runs": Text("Runs of other datasets", "다른 데이터셋의 실행"),
    "compare_judge": Text("Judge on “{data}”", "“{data}”(으)로 평가"),
    "compare_judge_note": Text(
        "Grades the pictures outside the training split. Those that a run learned from are left out.",
        "학습 분할 밖의 사진에 등급을 매겨요. 실행이 학습에 쓴 사진은 빼요.",
    ),
    "compare_judging": Text("{run}: {done} of {total} pictures", "{run}: 사진 {total}장 중 {done}장"),
    "compare_judged": Text("{count} runs judged on “{data}”", "실행 {count}개를 “{data}”(으)로 평가했어요"),
    # models from elsewhere
    "external": Text("Models from elsewhere ({count})", "외부 모델 ({count}개)"),
    "external_file": Text("Its predictions: CSV, Excel or Parquet", "예측 파일: CSV, Excel, Parquet"),
    "external_columns": Text(
        "Columns: image (its id), condition, and p0, p1, p2, p3 or a grade alone. Training pictures are left out. For ONNX files: training.evaluate --onnx.",
        "열: image(사진 id), condition(증상), 그리고 p0, p1, p2, p3 또는 grade. 학습 분할의 사진은 빼요. ONNX 파일은 training.evaluate --onnx로 평가하세요.",
    ),
    "external_name": Text("Its name", "이름"),
    "external_name_help": Text("Lower-case letters, digits, “_” and “-”.", "영문 소문자, 숫자, “_”, “-”."),
    "external_not_here": Text("not judged on “{data}”, or damaged", "“{data}”에는 예측이 없거나 손상됨"),
    "external_renamed": Text("{before} is now {after}.", "{before} 모델의 이름을 {after}(으)로 바꿨어요."),
    "external_deleted": Text("Deleted {run}; {size} freed.", "{run} 모델을 삭제해 {size}를 비웠어요."),
    "external_question": Text(
        "Delete {run} with its predictions for all datasets? This frees {size} and cannot be undone.",
        "{run} 모델을 모든 데이터셋의 예측과 함께 삭제할까요? {size}를 비우며 되돌릴 수 없어요.",
    ),
    "external_never": Text(
        "Models from elsewhere never grade pictures here.", "외부 모델로는 사진의 등급을 추정하지 않아요."
    ),
    "external_no_cost": Text(
        "Parameters and time of models from elsewhere are not known: {names}.",
        "외부 모델의 파라미터 수와 시간은 알 수 없어요: {names}.",
    ),
    "compare_common": Text(
        "Judged on the {count:,} of {whole:,} pictures of this split that all of these models answer.",
        "이 분할의 사진 {whole:,}장 중 고른 모델이 모두 답한 {count:,}장으로 평가했어요.",
    ),
    "compare_nothing_common": Text(
        "No picture of this split is answered by all of these models. Choose other models or another split.",
        "이 분할에는 고른 모델이 모두 답한 사진이 없어요. 다른 모델이나 분할을 고르세요.",
    ),
    "external_about": Text("What it is", "설명"),
    "external_link": Text("Link", "링크"),
    "external_add": Text("Compare on “{data}”", "“{data}”에서 비교"),
    "external_incomplete": Text("Choose a file and a name.", "파일과 이름을 정하세요."),
    "external_added": Text("{run} is compared now", "{run} 모델을 비교에 넣었어요"),
    "compare_reason": capitalized(terms.REASON),
    "compare_report": Text("Printable report (HTML)", "인쇄용 보고서 (HTML)"),
    "compare_report_note": Text(
        "Figures, tables, recipes and hashes of this comparison, with the command that reproduces it.",
        "이 비교의 그림, 표, 학습 설정, 해시와 재현 명령이 들어 있어요.",
    ),
    # leaderboard
    "leaderboard_first": Text(
        "{name} leads: mean rank {rank}, mean {metric} {mean}.",
        "{name} 모델이 1위예요: 평균 순위 {rank}, 평균 {metric} {mean}.",
    ),
    "leaderboard_first_rank": Text("{name} leads: mean rank {rank}.", "{name} 모델이 1위예요: 평균 순위 {rank}."),
    "leaderboard_intervals": Text("95% CI", "95% 신뢰 구간"),
    "leaderboard_alt": Text(
        "{metric} of every model (rows) and condition (columns) with 95% CI",
        "모델(행)과 증상(열)별 {metric}, 95% 신뢰 구간 포함",
    ),
    "leaderboard_legend": Text(
        "{metric} ({direction}), bootstrapped over {captures} captures. Darker is better; grey: no value.",
        "{metric}({direction}), 촬영 {captures}건의 부트스트랩이에요. 진할수록 좋고, 회색은 값이 없는 칸이에요.",
    ),
    "leaderboard_letters": Text(
        "Same letter in a column: no significant difference. Below the line: references.",
        "같은 열에서 글자가 같으면 유의한 차이가 없어요. 선 아래는 기준값이에요.",
    ),
    "leaderboard_more": terms.HIGHER_IS_BETTER,
    "leaderboard_less": terms.LOWER_IS_BETTER,
    "leaderboard_table": Text("As a table", "표로 보기"),
    "leaderboard_caption": Text(
        "{metric} on the {part} split, 95% CI; a: not significantly different from the best of its condition",
        "{part} 분할의 {metric}, 95% 신뢰 구간; a: 그 증상의 최고값과 유의한 차이 없음",
    ),
    "leaderboard_model": capitalized(terms.MODEL),
    "leaderboard_value": Text("Value", "값"),
    "leaderboard_low": Text("95% CI low", "95% 신뢰 하한"),
    "leaderboard_high": Text("95% CI high", "95% 신뢰 상한"),
    "leaderboard_tied": Text("Letter", "글자"),
    "leaderboard_seeds": capitalized(terms.SEEDS),
    "leaderboard_lowest": Text("Lowest seed", "시드 최저"),
    "leaderboard_highest": Text("Highest seed", "시드 최고"),
    "leaderboard_references": Text("References", "기준값"),
    "leaderboard_reference": capitalized(terms.REFERENCE),
    "leaderboard_protocol": capitalized(terms.PROTOCOL),
    # confusion matrices
    "matrices_cells": Text("Cells show", "칸의 값"),
    "matrices_cells_shares": Text("% of the row", "행 비율(%)"),
    "matrices_cells_better": Text("better or worse than", "기준보다 나은지"),
    "matrices_cells_difference": Text("Difference", "차이"),
    "matrices_reference": Text("Reference", "기준 모델"),
    "matrices_axes": Text("label ↓", "라벨 ↓"),
    "matrices_foot": Text("accuracy {accuracy} · ≥ 2 off {far}", "정확도 {accuracy} · 2등급↑ {far}"),
    "matrices_poster": Text("Poster of all", "전체 포스터"),
    "matrices_matrix": Text(
        "Confusion matrix of {name}: rows label, columns prediction", "{name}의 혼동 행렬: 행은 라벨, 열은 예측"
    ),
    "matrices_cell": Text(
        "label {truth}, prediction {predicted}: {count} pictures, {share} of the row",
        "라벨 {truth}, 예측 {predicted}: 사진 {count}장, 행의 {share}",
    ),
    "matrices_cell_against": Text("{cell}; {points} points against the reference", "{cell}, 기준 모델 대비 {points}%p"),
    "matrices_cell_empty": Text(
        "label {truth}, prediction {predicted}: no pictures with this label",
        "라벨 {truth}, 예측 {predicted}: 이 라벨의 사진 없음",
    ),
    "matrices_legend_shares": Text("100% of the row; small: pictures", "행의 100%, 작은 글씨는 사진 수"),
    "matrices_legend_worse": Text("worse", "나쁨"),
    "matrices_legend_better": Text("better than {name}, in points", "{name}보다 좋음(%p)"),
    "matrices_legend_right": Text("correct", "맞음"),
    "matrices_legend_far": Text("two or more grades off", "두 등급 이상 차이"),
    "matrices_legend_letters": Text("same letter: no significant difference", "같은 글자: 유의한 차이 없음"),
    "matrices_legend_numbers": Text("keys 1–6: condition", "1–6 키: 증상"),
    "matrices_only_all_wrong": Text("All models wrong: {count:,}", "모두 틀림: {count:,}장"),
    "matrices_only_only_right": Text("Only one right", "한 모델만 맞음"),
    "matrices_only_apart": Text("Two or more grades apart: {count:,}", "두 등급 이상 갈림: {count:,}장"),
    "matrices_of_cell": Text("{name}: label {truth}, prediction {predicted}", "{name}: 라벨 {truth}, 예측 {predicted}"),
    "matrices_of_all_wrong": Text("All models wrong", "모든 모델이 틀린 사진"),
    "matrices_of_only_right": Text("Only one model right", "한 모델만 맞은 사진"),
    "matrices_of_apart": Text("Predictions two or more grades apart", "예측이 두 등급 이상 갈린 사진"),
    "matrices_keys": Text("← → next picture.", "← → 키로 넘겨요."),
    "finding_far": Text(
        "{name} grades {count:,} of {whole:,} {truth} pictures {predicted}.",
        "{name} 모델은 {truth} 사진 {whole:,}장 중 {count:,}장을 {predicted} 등급으로 추정했어요.",
    ),
    "finding_pictures": Text("Show these {count:,}", "사진 {count:,}장 보기"),
    "matrices_seeds": Text("mean of {count} seeds", "시드 {count}개의 평균"),
    "matrices_not_graded": Text("Does not grade this condition.", "이 증상은 추정하지 않는 모델이에요."),
    "matrices_model": capitalized(terms.MODEL),
    "matrices_count": Text("{count:,} of {whole:,} pictures ({part}).", "{part} 사진 {whole:,}장 중 {count:,}장."),
    "matrices_first_run": Text(
        "For models with several seeds, the first run is shown: {runs}.",
        "시드가 여럿인 모델은 첫 실행을 보여 줘요: {runs}.",
    ),
    "matrices_card": Text("{image}, label {truth}", "{image}, 라벨 {truth}"),
    "matrices_answer": Text("{name}: {grade}, probability {probability}", "{name}: {grade}, 확률 {probability}"),
    # differences
    "view_recall": Text("Recall by grade", "등급별 재현율"),
    "view_groups": Text("Groups of pictures", "사진 그룹별"),
    "groups_by": Text("Group by", "그룹 기준"),
    "groups_none": Text("This dataset has no column to group by.", "그룹으로 나눌 열이 없는 데이터셋이에요."),
    "groups_worse": Text(
        "{name} grades “{group}” worse than the rest: {metric} {value}, difference {difference} [{difference_low}, "
        "{difference_high}].",
        "{name} 모델은 ‘{group}’ 그룹을 나머지보다 못 맞혀요: {metric} {value}, 차이 {difference} [{difference_low}, "
        "{difference_high}].",
    ),
    "groups_equal": Text(
        "{name} grades no group significantly worse than the rest. Lowest: “{group}”, {metric} {value}, difference "
        "{difference} [{difference_low}, {difference_high}].",
        "{name} 모델이 나머지보다 유의하게 못 맞히는 그룹은 없어요. 가장 낮은 그룹은 ‘{group}’: {metric} {value}, 차이 "
        "{difference} [{difference_low}, {difference_high}].",
    ),
    "groups_small": Text(
        "No group has {images} labelled pictures of {captures} captures.",
        "라벨이 있는 사진이 {images}장, 촬영이 {captures}건 이상인 그룹이 없어요.",
    ),
    "groups_too_small": Text(
        "Too small for figures (under {images} pictures or {captures} captures): {groups}.",
        "사진 {images}장 또는 촬영 {captures}건이 안 되어 수치를 내지 않은 그룹: {groups}.",
    ),
    "groups_more": Text("{count} smaller groups are left out.", "더 작은 그룹 {count}개는 뺐어요."),
    "groups_note": Text(
        "95 % intervals over {captures} captures; differences from the rest are corrected over the groups (Holm).",
        "촬영 {captures}건에 대한 95% 신뢰 구간이에요. 나머지와의 차이는 그룹 수만큼 보정했어요(Holm).",
    ),
    "groups_alt": Text("{metric} by {column} and model", "{column}과 모델에 따른 {metric}"),
    "groups_pictures": Text("Pictures:", "사진 보기:"),
    "groups_captures": capitalized(terms.CAPTURES),
    "groups_difference": Text("Difference from the rest", "나머지와의 차이"),
    "groups_difference_low": Text("Difference, low", "차이 하한"),
    "groups_difference_high": Text("Difference, high", "차이 상한"),
    "groups_p": terms.P_HOLM,
    "groups_verdict": capitalized(terms.VERDICT),
    "groups_coverage": Text("In the {coverage} range ↑", "{coverage} 범위 적중 ↑"),
    "view_reliability": Text("Reliability diagram", "신뢰도 다이어그램"),
    "view_referral": Text("Human beside model", "사람과 함께 판정"),
    "referral_limit": Text("Unseen far errors, at most", "사람이 보지 않는 큰 오류 한도"),
    "referral_outcome": Text(
        "{name} leaves {referred} of the pictures to a person for a limit of {limit}: {unseen}% [{unseen_low}, "
        "{unseen_high}] are graded far wrong and not seen, instead of {far}%.",
        "한도 {limit}에서 {name} 모델은 사진의 {referred}를 사람에게 넘겨요. 사람이 보지 않는 큰 오류는 {far}%에서 {unseen}% "
        "[{unseen_low}, {unseen_high}]로 줄어요.",
    ),
    "referral_uncalibrated": Text(
        "No labelled calibration pictures of this condition: no threshold can be chosen.",
        "이 증상은 보정 분할에 라벨이 없어 임계값을 고를 수 없어요.",
    ),
    "referral_alt": Text(
        "Unseen far errors over pictures for a person by model for {condition}",
        "{condition}의 모델별 사람이 판정할 사진 비율에 따른 보지 않는 큰 오류",
    ),
    "referral_note": Text(
        "Far: {distance} grades or more. The riskiest pictures go to a person first. Points: the threshold chosen on "
        "calibration; saved under “Operating point”, answers say “refer”.",
        "큰 오류는 {distance}등급 이상 틀린 것이에요. 위험이 큰 사진부터 사람에게 넘겨요. 점은 보정 분할에서 고른 임계값이에요. ‘운영점’에서 저장하면 "
        "응답에 ‘refer’가 표시돼요.",
    ),
    "referral_far": Text("Far errors ↓", "큰 오류 ↓"),
    "referral_referred": Text("For a person ↓", "사람이 판정 ↓"),
    "referral_unseen": Text("Unseen far errors ↓", "보지 않는 큰 오류 ↓"),
    "referral_area": Text("Area under the curve (AUGRC) ↓", "곡선 아래 면적 (AUGRC) ↓"),
    "view_curves": capitalized(terms.LEARNING_CURVES),
    "view_pareto": Text("Score against cost", "비용 대비 성능"),
    "forest_reference": Text("Reference", "기준 모델"),
    "forest_against": Text("against {name}", "{name} 대비"),
    "forest_alt": Text(
        "Difference in {metric} of every model from {reference}, with corrected 95% CI",
        "{reference} 대비 모델별 {metric} 차이, 보정한 95% 신뢰 구간 포함",
    ),
    "forest_note": Text(
        "95% CI, Holm-corrected over all pairs, paired bootstrap over {captures} captures. Grey band: practically "
        "equal (within {negligible}). Default reference: best on validation.",
        "모든 쌍에 대해 Holm 보정한 95% 신뢰 구간이에요(촬영 {captures}건의 대응 부트스트랩). 회색 띠는 사실상 같은 {negligible} "
        "이내의 차이예요. 기본 기준은 검증에서 가장 좋은 모델이에요.",
    ),
    "pairs_title": Text("Pairwise comparison", "쌍별 비교"),
    "pairs_first": capitalized(terms.MODEL),
    "pairs_second": Text("Against", "비교 대상"),
    "pairs_verdict": capitalized(terms.VERDICT),
    "pairs_difference": Text("Difference", "차이"),
    "pairs_p": terms.P_HOLM,
    "pairs_only_first": Text("Only first right", "앞 모델만 맞음"),
    "pairs_only_second": Text("Only second right", "뒤 모델만 맞음"),
    "pairs_mcnemar": Text("p (McNemar)", "p값 (McNemar)"),
    "pairs_note": Text(
        "CI and p are Holm-corrected over all pairs. McNemar's test treats pictures as independent, so its p is too "
        "small.",
        "신뢰 구간과 p값은 모든 쌍에 대해 Holm 보정한 값이에요. McNemar 검정은 사진이 서로 독립이라고 보므로 p값이 실제보다 작아요.",
    ),
    "pairs_seeds": Text(
        "For models with several seeds, McNemar's test uses the first run.",
        "시드가 여럿인 모델은 첫 실행으로 McNemar 검정을 해요.",
    ),
    "ranks_title": Text("Rank stability", "순위 안정성"),
    "ranks_rank": Text("Rank", "순위"),
    "ranks_best": Text("Best in", "1위 비율"),
    "ranks_note": Text(
        "Over bootstrap resamples: the range of ranks, and how often the model is best.",
        "부트스트랩 재표집에서 나온 순위 범위와 1위 비율이에요.",
    ),
    "recall": capitalized(terms.RECALL),
    "recall_alt": Text(
        "Recall of every grade of {condition} by model, with 95% CI",
        "{condition}의 등급별·모델별 재현율, 95% 신뢰 구간 포함",
    ),
    "recall_note": Text(
        "n: pictures with this label. 95% Wilson intervals treat pictures as independent and are slightly too narrow.",
        "n은 그 라벨의 사진 수예요. 95% Wilson 구간은 사진이 서로 독립이라고 보므로 실제보다 조금 좁아요.",
    ),
    "reliability_alt": Text(
        "Accuracy against confidence by model for {condition}", "{condition}의 모델별 확신도 대비 정확도"
    ),
    "reliability_note": Text(
        "Each point: one of {bins} equally large bins. Below the dashed line the model is overconfident. “Error”: "
        "expected calibration error; chance alone keeps it above 0.",
        "점 하나는 같은 크기의 구간 {bins}개 중 하나예요. 점선 아래는 과신이에요. ‘오차’는 기대 보정 오차(ECE)이며, 우연만으로도 0보다 커요.",
    ),
    "reliability_confidence": capitalized(terms.CONFIDENCE),
    "reliability_accuracy": capitalized(terms.ACCURACY),
    "curves_note": Text(
        "Validation split, mean over the conditions of the run.", "검증 분할, 실행이 추정하는 증상의 평균이에요."
    ),
    "compare_curves": capitalized(terms.LEARNING_CURVES),
    "cost": Text("Cost", "비용"),
    "cost_milliseconds": Text("ms per picture", "사진당 ms"),
    "cost_unknown": Text(
        "Not measured on this machine yet: {names}.", "이 컴퓨터에서 아직 측정하지 않은 모델: {names}."
    ),
    "cost_measure": Text("Measure", "측정하기"),
    "cost_measuring": Text("Measuring …", "측정하는 중 …"),
    "pareto_alt": Text("{metric} of every model against {cost}", "모델별 {metric}, {cost} 기준"),
    "pareto_note": Text(
        "Dashed: Pareto front. Time: one picture on one core of this machine.",
        "점선은 파레토 경계예요. 시간은 이 컴퓨터의 코어 하나로 사진 한 장을 처리하는 시간이에요.",
    ),
    # what has just finished
    "compare_new": Text("new", "새 실행"),
    "compare_new_model": Text("{name} · new", "{name} · 새 실행"),
    # best models
    "best_note": Text(
        "Selected by validation QWK: the smallest model within {margin} of the best. Test QWK is reported only.",
        "검증 QWK가 최고와 {margin} 이내인 모델 중 가장 작은 모델이에요. 테스트 QWK는 보고용이에요.",
    ),
    "best_chosen": Text("Selected", "선택된 모델"),
    "best_tied": Text("Tied with", "동률"),
    "best_answers": Text("In use", "사용 중인 실행"),
    "best_time": Text("Time per picture", "사진당 시간"),
    "best_for": Text("Candidates for {condition}", "{condition} 후보"),
    "best_candidate": Text("QWK: validation {valid}, test {test}", "QWK: 검증 {valid}, 테스트 {test}"),
    # one picture
    "answers_error": Text("Against the label", "라벨과 비교"),
    "answers_right": Text("correct", "맞음"),
    "answers_high": Text("{count} too high", "{count}등급 높음"),
    "answers_low": Text("{count} too low", "{count}등급 낮음"),
    "answers_evidence": Text("Evidence maps", "근거 지도"),
    "answers_evidence_none": Text("off", "끄기"),
    "answers_evidence_label": Text("for the label", "라벨 등급"),
    "answers_evidence_decided": Text("for each prediction", "모델별 예측 등급"),
}
