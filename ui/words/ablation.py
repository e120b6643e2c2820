"""Texts of the ablation study on the page of training runs."""

from scalp_core.errors import Text

WORDS = {
    "ablation": Text("Ablation study", "절제 실험"),
    "ablation_note": Text(
        "From plain cross-entropy to the chosen settings, one change a step; same data and seeds, each step compared "
        "with the previous one on the test split.",
        "기본 교차 엔트로피에서 고른 설정까지 한 단계에 하나씩 바꿔요. 데이터와 시드는 같고, 테스트 분할에서 앞 단계와 비교해요.",
    ),
    "ablation_like": Text("Settings of", "기준 설정"),
    "ablation_defaults": Text("defaults", "기본값"),
    "ablation_networks": Text("Models", "모델"),
    "ablation_alone": Text("this condition only", "이 증상만"),
    "ablation_shared": Text("all six conditions", "여섯 증상 공유"),
    "ablation_seeds": Text("Seeds", "시드 수"),
    "ablation_step": Text("Step", "단계"),
    "ablation_does": Text("Change", "변경"),
    "ablation_done": Text("Trained", "완료"),
    "ablation_planned": Text("Planned", "예정"),
    "ablation_aside": Text(
        "In brackets: variants, compared with the last step.", "괄호 안은 마지막 단계와 비교하는 변형이에요."
    ),
    "ablation_plan": Text("{networks} models, {missing} to train.", "모델 {networks}개, 학습할 것 {missing}개."),
    "ablation_time": Text("About {time} on this machine.", "이 컴퓨터에서 {time}."),
    "ablation_start": Text("Train missing models", "남은 모델 학습"),
    "ablation_started": Text("{count} runs queued.", "실행 {count}개가 대기 중이에요."),
    "ablation_alt": Text("Results by step with intervals", "단계별 결과와 신뢰 구간"),
    "ablation_difference": Text("QWK difference", "QWK 차이"),
    "ablation_recall": Text("Worst-recall difference", "최저 재현율 차이"),
    "ablation_low": Text("{difference}, 95% CI low", "{difference} 95% 신뢰 하한"),
    "ablation_high": Text("{difference}, 95% CI high", "{difference} 95% 신뢰 상한"),
    "ablation_verdict": Text("Against the previous step", "앞 단계 대비"),
}
