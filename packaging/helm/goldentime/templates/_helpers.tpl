{{- define "goldentime.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "goldentime.central.name" -}}{{ include "goldentime.fullname" . }}-central{{- end -}}
{{- define "goldentime.agent.name" -}}{{ include "goldentime.fullname" . }}-agent{{- end -}}

{{/* Labels by which pods are found: (dict "root" $ "component" "central"). They never change. */}}
{{- define "goldentime.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "goldentime.labels" -}}
{{ include "goldentime.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: goldentime
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* An image by digest or tag: (dict "image" .Values.central.image "root" $). */}}
{{- define "goldentime.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ default .root.Chart.AppVersion .image.tag }}
{{- end -}}
{{- end -}}

{{/* What Kubernetes' profile "restricted" asks of a container, and a root that cannot be written. */}}
{{- define "goldentime.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "goldentime.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* central.yaml: what the chart must set, and over it what the values say. */}}
{{- define "goldentime.central.config" -}}
{{- $name := include "goldentime.central.name" . -}}
{{- $names := list $name (printf "%s.%s" $name .Release.Namespace) (printf "%s.%s.svc" $name .Release.Namespace) "localhost" -}}
{{- $set := dict
  "http" (dict "listen" "0.0.0.0:7700" "names" $names "tls" (dict "mode" "self_made"))
  "agents" (dict "listen" "0.0.0.0:7701")
  "state_dir" "/var/lib/goldentime-central/state"
  "slo_dir" "/etc/goldentime/slo"
-}}
{{- if .Values.central.authoritySecretName -}}
{{- $_ := set $set.agents "authority_dir" "/etc/goldentime/authority" -}}
{{- end -}}
{{- $config := mustMergeOverwrite $set (deepCopy .Values.central.config) -}}
{{- if eq (dig "http" "tls" "mode" "" $config) "off" -}}
{{- fail "central.config.http.tls.mode is off: beyond loopback a central without TLS answers trusted proxies alone, and Kubernetes' probes are none. Use self_made, or files with a mounted Secret." -}}
{{- end -}}
{{- if gt (int .Values.central.replicas) 1 -}}
{{- if not .Values.central.authoritySecretName -}}
{{- fail "central.replicas is more than 1, and central.authoritySecretName is not set: agents must know every central by one authority. `goldentime-central authority create` makes it." -}}
{{- end -}}
{{- range list "kafka" "redis" "postgres" -}}
{{- if not (dig "cluster" . nil $config) -}}
{{- fail (printf "central.replicas is more than 1, and central.config.cluster.%s is not set: several centrals share their work by Kafka, Redis and PostgreSQL." .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* agent.yaml, likewise. */}}
{{- define "goldentime.agent.config" -}}
{{- $address := .Values.agent.central.address -}}
{{- $own := dig "central" "addresses" list .Values.agent.config -}}
{{- if not (or $address $own) -}}
{{- if not .Values.central.enabled -}}
{{- fail "agent.central.address is not set, and this release has no central: say where it is, as host:port." -}}
{{- end -}}
{{- end -}}
{{- $name := include "goldentime.central.name" . -}}
{{- $central := dict "join_token_file" "/run/secrets/goldentime/join-token" -}}
{{- if $address -}}
{{- $_ := set $central "address" $address -}}
{{- else if $own -}}
{{- $_ := set $central "addresses" $own -}}
{{- else if gt (int .Values.central.replicas) 1 -}}
{{- /* By their own names, so that an agent knows whom to ask next; it takes 16 at most. */ -}}
{{- $addresses := list -}}
{{- range until (int (min 16 .Values.central.replicas)) -}}
{{- $addresses = append $addresses (printf "%s-%d.%s-each.%s.svc:7701" $name . $name $.Release.Namespace) -}}
{{- end -}}
{{- $_ := set $central "addresses" $addresses -}}
{{- else -}}
{{- $_ := set $central "address" (printf "%s-agents.%s.svc:%v" $name .Release.Namespace .Values.central.agentService.port) -}}
{{- end -}}
{{- $inputs := dict "host" (dict "enabled" false) -}}
{{- if .Values.agent.host.enabled -}}
{{- $inputs = dict
  "host" (dict "proc_root" "/host/proc" "root" "/host/root")
  "saturation" (dict "proc_root" "/host/proc" "cgroup_root" "/host/cgroup")
-}}
{{- end -}}
{{- if .Values.agent.statsd.enabled -}}
{{- $_ := set $inputs "statsd" (dict "enabled" true "udp" (list "0.0.0.0:8125")) -}}
{{- end -}}
{{- $set := dict
  "central" $central
  "state_dir" "/var/lib/goldentime-agent"
  "inputs" $inputs
-}}
{{- toYaml (mustMergeOverwrite $set (deepCopy .Values.agent.config)) -}}
{{- end -}}
