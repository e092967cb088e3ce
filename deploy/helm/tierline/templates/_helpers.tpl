{{- define "tierline.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- /* Labels by which pods of a target are found: dict "root" . "target" name */}}
{{- define "tierline.selector" -}}
app.kubernetes.io/name: tierline
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .target }}
{{- end }}

{{- define "tierline.labels" -}}
{{ include "tierline.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- /* The account of a target: dict "root" . "target" name */}}
{{- define "tierline.account" -}}
{{ .root.Values.accountPrefix }}{{ .target | replace "-" "_" }}
{{- end }}

{{- define "tierline.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "tierline.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- /* The only file of the database's secret that a pod sees: dict "root" . "account" name */}}
{{- define "tierline.databaseVolume" -}}
- name: database
  secret:
    secretName: {{ required "secrets.database names the secret with the URLs" .root.Values.secrets.database }}
    defaultMode: 0440
    items:
      - key: {{ .account }}.url
        path: database.url
{{- end }}
