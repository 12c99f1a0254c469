{{- define "postrider.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end -}}
{{- end }}

{{- define "postrider.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "postrider.labels" -}}
{{ include "postrider.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "postrider.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "postrider.name" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end -}}
{{- end }}

{{/* Mistakes that the schema cannot express. */}}
{{- define "postrider.check" -}}
{{- if eq .Values.store "postgres" }}
{{- if not .Values.secrets.existingSecret }}
{{- fail "secrets.existingSecret is required with store=postgres: all pods need the same secrets; create one with the keys main-secret and jwt-secret" }}
{{- end }}
{{- if not .Values.database.existingSecret }}
{{- fail "database.existingSecret is required with store=postgres; create a secret with the URL of the database as database-url" }}
{{- end }}
{{- end }}
{{- end }}

{{/* The pod, which is the same for both stores. */}}
{{- define "postrider.pod" -}}
metadata:
  labels:
    {{- include "postrider.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ .Values.config | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "postrider.serviceAccount" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  # First the requests end, and then the deliveries; each part has the time of graceSeconds.
  terminationGracePeriodSeconds: {{ add .Values.shutdown.delaySeconds (mul 2 .Values.shutdown.graceSeconds) 15 }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  containers:
    - name: postrider
      image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [serve]
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      ports:
        - name: http
          containerPort: 8071
        {{- if .Values.metrics.enabled }}
        - name: metrics
          containerPort: 8072
        {{- end }}
      env:
        - name: POSTRIDER_CONFIG
          value: /etc/postrider/postrider.toml
        - name: POSTRIDER_LISTEN
          value: "0.0.0.0:8071"
        - name: POSTRIDER_DATA_DIR
          # A folder of its own, because the volume belongs to the group of the pod.
          value: /var/lib/postrider/data
        - name: POSTRIDER_NODE_NAME
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        - name: POSTRIDER_SHUTDOWN_DELAY
          value: "{{ .Values.shutdown.delaySeconds }}s"
        - name: POSTRIDER_SHUTDOWN_GRACE
          value: "{{ .Values.shutdown.graceSeconds }}s"
        {{- if .Values.metrics.enabled }}
        - name: POSTRIDER_METRICS_LISTEN
          value: "0.0.0.0:8072"
        {{- end }}
        {{- with .Values.publicUrl }}
        - name: POSTRIDER_PUBLIC_URL
          value: {{ . | quote }}
        {{- end }}
        {{- if .Values.secrets.existingSecret }}
        - name: POSTRIDER_MAIN_SECRET_FILE
          value: /run/secrets/postrider/main-secret
        - name: POSTRIDER_JWT_SECRET_FILE
          value: /run/secrets/postrider/jwt-secret
        {{- end }}
        {{- if eq .Values.store "postgres" }}
        - name: POSTRIDER_DATABASE_URL_FILE
          value: /run/secrets/postrider/database-url
        {{- end }}
        {{- with .Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      startupProbe:
        httpGet: {path: /api/v1/health/ping, port: http}
        periodSeconds: 2
        failureThreshold: {{ div .Values.probes.startupSeconds 2 }}
      livenessProbe:
        httpGet: {path: /api/v1/health/ping, port: http}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /api/v1/health/ready, port: http}
        periodSeconds: 2
        timeoutSeconds: 5
        failureThreshold: 2
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - name: config
          mountPath: /etc/postrider
          readOnly: true
        - name: data
          mountPath: /var/lib/postrider
        {{- if or .Values.secrets.existingSecret (eq .Values.store "postgres") }}
        - name: secrets
          mountPath: /run/secrets/postrider
          readOnly: true
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "postrider.name" . }}
    {{- if eq .Values.store "postgres" }}
    # Only files that a node can create again.
    - name: data
      emptyDir: {}
    {{- end }}
    {{- if or .Values.secrets.existingSecret (eq .Values.store "postgres") }}
    - name: secrets
      projected:
        # Only the group of the pod can read them.
        defaultMode: 0440
        sources:
          {{- with .Values.secrets }}
          {{- if .existingSecret }}
          - secret:
              name: {{ .existingSecret }}
              items:
                - {key: {{ .mainSecretKey }}, path: main-secret}
                - {key: {{ .jwtSecretKey }}, path: jwt-secret}
          {{- end }}
          {{- end }}
          {{- if eq .Values.store "postgres" }}
          - secret:
              name: {{ .Values.database.existingSecret }}
              items:
                - {key: {{ .Values.database.urlKey }}, path: database-url}
          {{- end }}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- with .Values.topologySpreadConstraints }}
    {{- toYaml . | nindent 4 }}
    {{- else }}
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "postrider.selector" . | nindent 10 }}
    - maxSkew: 1
      topologyKey: topology.kubernetes.io/zone
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "postrider.selector" . | nindent 10 }}
    {{- end }}
{{- end }}
